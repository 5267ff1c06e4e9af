// Package manifest reads LLMServices from YAML the way an API server does, without one: unknown fields are refused,
// defaults are set, and the definition's schema and rules are checked.
package manifest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	sigsyaml "sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/config/crd"
)

// Kind is the kind that Load looks for.
const Kind = "LLMService"

// ErrNone says that there is no LLMService among the documents.
var ErrNone = errors.New("there is no " + Kind)

// Load returns the first LLMService among the YAML documents, as an API server would have stored it. Its errors name
// the fields that an API server would have refused.
func Load(ctx context.Context, documents []byte) (*v1alpha1.LLMService, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(documents)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil, ErrNone
		}
		if err != nil {
			return nil, fmt.Errorf("read YAML: %w", err)
		}
		encoded, err := sigsyaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("read YAML: %w", err)
		}
		var object map[string]any
		// Kubernetes' own decoder: rules tell integers from other numbers.
		if err := json.Unmarshal(encoded, &object); err != nil {
			return nil, fmt.Errorf("read YAML: %w", err)
		}
		if object["kind"] == Kind {
			return decode(ctx, object)
		}
	}
}

func decode(ctx context.Context, object map[string]any) (*v1alpha1.LLMService, error) {
	if got, want := object["apiVersion"], v1alpha1.GroupVersion.String(); got != want {
		return nil, fmt.Errorf("apiVersion: %v, want %s", got, want)
	}
	definition, err := loadDefinition()
	if err != nil {
		return nil, err
	}
	if err := definition.admit(ctx, object); err != nil {
		return nil, err
	}
	service := &v1alpha1.LLMService{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, service); err != nil {
		return nil, fmt.Errorf("decode %s: %w", Kind, err)
	}
	return service, nil
}

// definition is what an API server makes of the CustomResourceDefinition.
type definition struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

var loadDefinition = sync.OnceValues(func() (*definition, error) {
	var v1 apiextensionsv1.CustomResourceDefinition
	if err := sigsyaml.Unmarshal(crd.LLMServices, &v1); err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	var props apiextensions.JSONSchemaProps
	schema := v1.Spec.Versions[0].Schema.OpenAPIV3Schema
	err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(schema, &props, nil)
	if err != nil {
		return nil, fmt.Errorf("convert the definition: %w", err)
	}
	structural, err := structuralschema.NewStructural(&props)
	if err != nil {
		return nil, fmt.Errorf("read the definition's schema: %w", err)
	}
	validator, _, err := validation.NewSchemaValidator(&props)
	if err != nil {
		return nil, fmt.Errorf("compile the definition's schema: %w", err)
	}
	return &definition{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
})

// admit sets the defaults and refuses what an API server refuses.
func (d *definition) admit(ctx context.Context, object map[string]any) error {
	track := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown := pruning.PruneWithOptions(object, d.structural, true, track)
	var errs []error
	for _, path := range unknown {
		errs = append(errs, fmt.Errorf("%s: unknown field", path))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, d.structural)
	defaulting.Default(object, d.structural)
	wrong := validation.ValidateCustomResource(nil, object, d.schema)
	if len(wrong) == 0 { // rules take for granted what the schema says
		wrong = listtype.ValidateListSetsAndMaps(nil, d.structural, object)
		broken, _ := d.rules.Validate(ctx, nil, d.structural, object, nil, celconfig.RuntimeCELCostBudget)
		wrong = append(wrong, broken...)
	}
	return errors.Join(append(errs, plain(wrong)...)...)
}

func plain(wrong field.ErrorList) []error {
	errs := make([]error, len(wrong))
	for i := range wrong {
		errs[i] = wrong[i]
	}
	return errs
}
