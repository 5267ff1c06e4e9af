package webhook

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// parsed is a service of this spec, which kubectl applied as the other one.
func parsed(t *testing.T, spec, applied string) *v1alpha1.LLMService {
	t.Helper()
	service := &v1alpha1.LLMService{}
	if err := json.Unmarshal([]byte(`{"spec":`+spec+`}`), service); err != nil {
		t.Fatal(err)
	}
	if applied != "" {
		service.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: applied}
	}
	return service
}

func TestWarnings(t *testing.T) {
	const (
		with    = `{"routes":[{"path":"/a","timeout":null,"request":{"schema":{"enum":["a",null],"default":null,"anyOf":[{"const":null}]}}}]}`
		without = `{"routes":[{"path":"/a","request":{"schema":{"enum":["a",null],"anyOf":[{}]}}}]}`
		many    = `{"routes":[{"path":"/a","response":{"body":{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null}}}]}`
		none    = `{"routes":[{"path":"/a","response":{"body":{}}}]}`
		hint    = `: kubectl apply dropped null; apply with --server-side, or write "${null}"`
		drain   = "spec.runtime.maxStreamDuration: is 9m1s, but cluster-autoscaler waits 10m for a node's pods; want 9m or less with it"
	)
	body := "spec.routes[0].response.body."
	dropped := []string{"spec.routes[0].request.schema.anyOf[0].const" + hint, "spec.routes[0].request.schema.default" + hint}
	applied := func(spec string) string { return `{"kind":"LLMService","spec":` + spec + `}` }
	for name, tt := range map[string]struct {
		service, before *v1alpha1.LLMService
		want            []string
	}{
		"nulls that were dropped":        {service: parsed(t, without, applied(with)), want: dropped},
		"nulls that were kept":           {service: parsed(t, with, applied(with))},
		"nulls of another manifest":      {service: parsed(t, without, "")},
		"nulls of an earlier apply":      {service: parsed(t, without, applied(with)), before: parsed(t, none, applied(with))},
		"nulls of this apply":            {service: parsed(t, without, applied(with)), before: parsed(t, without, applied(without)), want: dropped},
		"an annotation of somebody else": {service: parsed(t, without, `"kind"`)},
		"many nulls": {service: parsed(t, none, applied(many)), want: []string{
			body + "a" + hint, body + "b" + hint, body + "c" + hint, body + "d" + hint, "spec: kubectl apply dropped 2 more nulls",
		}},
		"long streams":                    {service: parsed(t, `{"runtime":{"maxStreamDuration":"9m1s"}}`, ""), want: []string{drain}},
		"streams as long as they may be":  {service: parsed(t, `{"runtime":{"maxStreamDuration":"9m"}}`, "")},
		"long streams that are not new":   {service: parsed(t, `{"runtime":{"maxStreamDuration":"9m1s"}}`, ""), before: parsed(t, `{"runtime":{"maxStreamDuration":"541s"}}`, "")},
		"streams that have become longer": {service: parsed(t, `{"runtime":{"maxStreamDuration":"9m1s"}}`, ""), before: parsed(t, `{}`, ""), want: []string{drain}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Warnings(tt.service, tt.before)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, warning := range got {
				if len(warning) > 256 || strings.ContainsAny(warning, "\n") { // what API servers pass on
					t.Errorf("%q is too long for a warning", warning)
				}
			}
		})
	}
}
