package render_test

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

func TestAllowedImages(t *testing.T) {
	gateway := render.GatewaySettings{
		Image:         "registry.example.com:5000/llmservice/gateway:v1",
		AllowedImages: []string{"mirror.example.com/gateway", "registry.example.com/team-a/*"},
	}
	for image, allowed := range map[string]bool{
		"": true,
		"registry.example.com:5000/llmservice/gateway":              true,
		"registry.example.com:5000/llmservice/gateway:v2":           true,
		"registry.example.com:5000/llmservice/gateway@sha256:01":    true,
		"registry.example.com:5000/llmservice/gateway:v2@sha256:01": true,
		"mirror.example.com/gateway:v1":                             true,
		"registry.example.com/team-a/gateway:v1":                    true,
		"registry.example.com/team-a/deeper/gateway":                true,
		"registry.example.com/team-a":                               false,
		"registry.example.com/team-ab/gateway":                      false,
		"mirror.example.com/gateway2":                               false,
		"mirror.example.com/gateway/own":                            false,
		"registry.example.com:5000/llmservice/gateway/own":          false,
		"registry.example.com/llmservice/gateway:v1":                false,
		"evil.example.com/x@registry.example.com/team-a/gateway":    false,
		"gateway": false,
	} {
		s := &v1alpha1.LLMService{Spec: v1alpha1.LLMServiceSpec{Runtime: &v1alpha1.Runtime{Image: image}}}
		errs := gateway.CheckAllowed(s)
		if (len(errs) == 0) != allowed {
			t.Errorf("%q: %v, want it allowed: %v", image, errs, allowed)
		}
		if len(errs) > 0 && !strings.Contains(errs.Error(), "mirror.example.com/gateway, registry.example.com/team-a/*") {
			t.Errorf("%q: %v does not say what is allowed", image, errs)
		}
	}
}
