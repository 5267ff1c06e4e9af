package render_test

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

func allowedHosts(t *testing.T, patterns ...string) render.GatewaySettings {
	t.Helper()
	g := render.GatewaySettings{Image: "g:v1"}
	for _, pattern := range patterns {
		if err := g.AllowedHosts.Set(pattern); err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
	}
	return g
}

func TestAllowedHosts(t *testing.T) {
	gateway := allowedHosts(t, "api.example.com", "*.Models.svc", "10.0.0.1", "::1")
	for url, allowed := range map[string]bool{
		"https://api.example.com/v1":            true,
		"https://API.example.com.:8443/v1":      true,
		"http://vllm.models.svc:8000/v1":        true,
		"http://a.b.models.svc":                 true,
		"http://10.0.0.1:8000":                  true,
		"http://[::ffff:10.0.0.1]:8000":         true,
		"http://[0:0::1]:8000":                  true,
		"https://api.example.com.evil.org":      false,
		"https://evil-api.example.com":          false,
		"https://x.api.example.com":             false,
		"https://api.example.com@evil.org/v1":   false,
		"https://evil.org/api.example.com":      false,
		"https://evil.org#api.example.com":      false,
		"http://models.svc":                     false,
		"http://.models.svc":                    false,
		"http://vllm.models.svc.cluster.local":  false,
		"http://vllm-models.svc":                false,
		"http://10.0.0.10":                      false,
		"http://[::2]":                          false,
		"http://010.0.0.1":                      false,
		"https://api\u3002example.com.evil.org": false,
	} {
		s := &v1alpha1.LLMService{Spec: v1alpha1.LLMServiceSpec{Upstreams: []v1alpha1.Upstream{
			{Endpoints: []v1alpha1.Endpoint{{URL: "https://api.example.com"}}},
			{Endpoints: []v1alpha1.Endpoint{{URL: "https://api.example.com"}, {URL: url}}},
		}}}
		errs := gateway.CheckAllowed(s)
		if (len(errs) == 0) != allowed {
			t.Errorf("%s: %v, want it allowed: %v", url, errs, allowed)
		}
		const path, want = "upstreams[1].endpoints[1].url: ", "want one of api.example.com, *.models.svc, 10.0.0.1, ::1"
		if len(errs) > 0 && (!strings.HasPrefix(errs.Error(), path) || !strings.HasSuffix(errs.Error(), want)) {
			t.Errorf("%s: %v does not say where, and what is allowed", url, errs)
		}
		if errs := (render.GatewaySettings{Image: "g:v1"}).CheckAllowed(s); len(errs) > 0 {
			t.Errorf("%s: %v, want each host allowed if no list is set", url, errs)
		}
	}
}

func TestPatternsOfHosts(t *testing.T) {
	for _, pattern := range []string{"", "*", "*.", "a.*", "*a.example.com", "https://a.example.com", "a.example.com:443", "a/b", "[::1]", "10.0.0.0/8", "a b"} {
		if err := new(render.Hosts).Set(pattern); err == nil || !strings.Contains(err.Error(), "want the name of a host") {
			t.Errorf("%q: got %v", pattern, err)
		}
	}
}

// Each image of a pod is checked, wherever a template names it. An empty want says that all are allowed.
func TestAllowedImagesOfAPodTemplate(t *testing.T) {
	for _, tt := range []struct{ template, want string }{
		{"{spec: {containers: [{name: a, image: 'g:v2'}], initContainers: [{name: b, image: 'team/b:v1'}], volumes: [{name: c, image: {reference: 'team/c'}}, {name: d, emptyDir: {}}]}}", ""},
		{"{spec: {containers: [{name: gateway}]}}", ""},
		{"{spec: {containers: [{name: gateway}, {name: a, image: 'registry.example.com/a:v1'}]}}", `runtime.podTemplate.spec.containers[1].image: "registry.example.com/a:v1" is not from a repository that this operator allows: g, team/*`},
		{"{spec: {initContainers: [{name: a, image: b}]}}", `runtime.podTemplate.spec.initContainers[0].image: "b" is not from `},
		{"{spec: {initContainers: [{name: gateway, image: b}]}}", `runtime.podTemplate.spec.initContainers[0].image: "b" is not from `},
		{"{spec: {volumes: [{name: a, image: {reference: 'evil/programs:v1'}}]}}", `runtime.podTemplate.spec.volumes[0].image.reference: "evil/programs:v1" is not from `},
	} {
		errs := render.GatewaySettings{Image: "g:v1", AllowedImages: []string{"team/*"}}.CheckAllowed(overlay(t, tt.template))
		if (tt.want == "") != (len(errs) == 0) || tt.want != "" && (len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), tt.want)) {
			t.Errorf("%.80s: got %v, want %s", tt.template, errs, tt.want)
		}
	}
}
