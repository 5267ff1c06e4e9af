package render

import (
	"fmt"
	"reflect"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

// Contract returns what gateways need to know of a service. Its members have the paths that they have in the spec, so
// that "spec." before the path of an error of program.Validate names the service's field. Contract does not validate;
// it fails on a duration that the API would have refused.
func Contract(s *v1alpha1.LLMService) (*config.Config, error) {
	c := &config.Config{}
	if err := contract(reflect.ValueOf(&s.Spec).Elem(), reflect.ValueOf(c).Elem()); err != nil {
		return nil, fmt.Errorf("spec%w", err)
	}
	c.Version, c.Service = config.Version, config.Service{Name: s.Name, Namespace: s.Namespace}
	return c, nil
}

// contract is the contract of a spec: each member is that of the same name, in the other's Go type. What else there is to it
// stands below; a member that only one of the two has is not planned, and no test of this package runs.
var contract = mustPlan[v1alpha1.LLMServiceSpec, config.Config](differences, conversions)

// differences are members that only one side has, by the spec's type.
var differences = map[reflect.Type]difference{
	reflect.TypeFor[v1alpha1.LLMServiceSpec](): {
		// The children are rendered from these.
		inSpec: []string{"scaling", "replicas", "exposure", "monitoring", "paused"},
		// Of the service's metadata.
		inContract: []string{"version", "service"},
	},
	reflect.TypeFor[v1alpha1.Runtime](): {
		// A pod has to be replaced for these.
		inSpec: []string{"workers", "maxStreamDuration", "resources", "image", "podTemplate", "podDisruptionBudget"},
	},
	// Which member is set says the same.
	reflect.TypeFor[v1alpha1.Upstream]():     {inSpec: []string{"type"}},
	reflect.TypeFor[v1alpha1.UpstreamAuth](): {inSpec: []string{"type"}},
	// The contract has one type for all answers of steps, and for all reactions to a failure.
	reflect.TypeFor[v1alpha1.Refusal](): {inContract: []string{"cookies", "contentType", "bodyEncoding", "location"}},
	reflect.TypeFor[v1alpha1.FunctionStepOnError](): {
		inSpec: []string{"type"}, inContract: []string{"continue"},
		also: also(func(from *v1alpha1.FunctionStepOnError, to *config.OnError) {
			to.Continue = continues(string(from.Type))
		}),
	},
	reflect.TypeFor[v1alpha1.OnError](): {
		inSpec: []string{"type"}, inContract: []string{"respond", "continue"},
		also: also(func(from *v1alpha1.OnError, to *config.OnError) { to.Continue = continues(string(from.Type)) }),
	},
	reflect.TypeFor[v1alpha1.StepOnError](): {
		inSpec: []string{"type"}, inContract: []string{"continue"},
		also: also(func(from *v1alpha1.StepOnError, to *config.OnError) { to.Continue = continues(string(from.Type)) }),
	},
}

func continues(kind string) *config.Continue {
	if kind == v1alpha1.OnErrorContinue {
		return &config.Continue{}
	}
	return nil
}

// conversions are values that the two write differently.
var conversions = conversionsOf(
	conversion(func(d v1alpha1.Duration) (config.Duration, error) {
		parsed, err := d.Parse()
		return config.Duration(parsed), err
	}),
	conversion(func(j v1alpha1.JSON) (jsontext.Value, error) { return nulls.ReplaceAll(j.Raw, []byte("null$1")), nil }),
	conversion(func(q resource.Quantity) (int64, error) { return q.Value(), nil }),
	conversion(bearer),
	conversion(secretFile),
	conversion(func(f v1alpha1.ResponseFormat) (string, error) {
		if f == v1alpha1.ResponseSchema {
			return "", nil // gateways that know no other need not be told
		}
		return string(f), nil
	}),
	conversion(func(l v1alpha1.RequestLog) (string, error) {
		if l == v1alpha1.RequestLogFailed {
			return "", nil // likewise
		}
		return string(l), nil
	}),
)

// nulls are members and items that are written "${null}", which survives a client-side apply. A whole value that is written so is
// a template: null would be no value.
var nulls = regexp.MustCompile(`"\$\{\s*null\s*\}"(\s*[,}\]])`)

func secretFile(r v1alpha1.SecretKeyReference) (config.SecretFile, error) {
	return config.SecretFile{Secret: r.Name, Key: r.Key}, nil
}

func bearer(b v1alpha1.BearerAuth) (config.SecretFile, error) {
	switch {
	case b.File != nil:
		return config.SecretFile{File: config.FileSource{Path: string(b.File.Path)}}, nil
	case b.SecretKeyRef != nil:
		return secretFile(*b.SecretKeyRef)
	}
	return config.SecretFile{}, nil
}
