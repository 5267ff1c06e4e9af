// Package manifest reads LLMServices from YAML the way an API server does, without one: unknown fields are refused,
// defaults are set, and the definition's schema and rules are checked.
package manifest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	objectvalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/config/crd"
)

// Kind is the kind that Load looks for.
const Kind = "LLMService"

// ErrNone says that there is no LLMService among the documents.
var ErrNone = errors.New("there is no " + Kind)

// Manifest is an LLMService as an API server would have stored it, and where its fields stand in a file.
type Manifest struct {
	Service *v1alpha1.LLMService
	// Doubtful are values that are likely to be meant otherwise than YAML reads them.
	Doubtful Mistakes
	// Nulls are members that are null and that an API server stores. kubectl apply without --server-side leaves them out, and
	// the service is another one.
	Nulls Mistakes

	document *document
}

// Load is Read without the places.
func Load(ctx context.Context, documents []byte) (*v1alpha1.LLMService, error) {
	m, err := Read(ctx, documents)
	if err != nil {
		return nil, err
	}
	return m.Service, nil
}

// Read returns the first LLMService among the YAML documents. Its errors are ErrNone, or Mistakes, which name the fields
// that an API server would have refused, and those whose names YAML has turned into booleans, which no API server can detect.
func Read(ctx context.Context, documents []byte) (*Manifest, error) {
	for m, err := range All(ctx, documents) {
		return m, err
	}
	return nil, ErrNone
}

// All gives each LLMService among the YAML documents in turn, or what is wrong with one: an error is as Read's. Documents of
// other kinds are left out, except for a List, whose items would go unnoticed.
func All(ctx context.Context, documents []byte) iter.Seq2[*Manifest, error] {
	return func(yield func(*Manifest, error) bool) {
		for _, d := range split(documents) {
			m, err := d.service(ctx)
			if (m != nil || err != nil) && !yield(m, err) {
				return
			}
		}
	}
}

// service is nil if the document has another kind.
func (d *document) service(ctx context.Context) (*Manifest, error) {
	if err := d.read(); err != nil {
		return nil, err
	}
	switch d.object["kind"] {
	case Kind:
		return d.manifest(ctx, d.object)
	case "List", Kind + "List":
		const instead = "a list is not read: put each of its items into a document of its own, between lines of ---"
		return nil, Mistakes{d.locate("kind", instead)}.by(RuleAPI)
	}
	return nil, nil //nolint:nilnil // which is what the comment says
}

// Locate gives what is wrong with a field its place.
func (m *Manifest) Locate(path, message string) Mistake { return m.document.locate(path, message) }

// Has reports whether a field, by its path as errors have it, stands in the file; otherwise its value is a default.
func (m *Manifest) Has(path string) bool { return m.document.find(path).found }

func (d *document) manifest(ctx context.Context, object map[string]any) (*Manifest, error) {
	if got, want := object["apiVersion"], v1alpha1.GroupVersion.String(); got != want {
		return nil, Mistakes{d.locate("apiVersion", fmt.Sprintf("is %v, want %s", got, want))}.by(RuleAPI)
	}
	definition, err := loadDefinition()
	if err != nil {
		return nil, err
	}
	w := &words{document: d}
	w.walk(d.root, definition.structural, "")
	refused := definition.admit(ctx, d, object).by(RuleAPI)
	if wrong := slices.Concat(w.wrong.by(RuleWords), refused); len(wrong) > 0 {
		return nil, sorted(wrong.with(w.doubtful))
	}
	service := &v1alpha1.LLMService{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, service); err != nil {
		return nil, Mistakes{{Message: fmt.Sprintf("decode %s: %v", Kind, err), Rule: RuleAPI}}.with(w.doubtful)
	}
	return &Manifest{Service: service, Doubtful: w.doubtful.by(RuleWords), Nulls: w.nulls.by(RuleNull), document: d}, nil
}

// with adds to mistakes the doubtful values at the same places, because they are the likely cause.
func (m Mistakes) with(doubtful Mistakes) Mistakes {
	all := slices.Clone(m)
	for i, mistake := range all {
		for _, d := range doubtful {
			if mistake.Line == d.Line && mistake.Column == d.Column || mistake.Line == 0 {
				all[i].Message += "; " + d.Message
			}
		}
	}
	return all
}

func sorted(m Mistakes) Mistakes {
	slices.SortStableFunc(m, func(a, b Mistake) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return m
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
func (d *definition) admit(ctx context.Context, at *document, object map[string]any) Mistakes {
	track := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown := pruning.PruneWithOptions(object, d.structural, true, track)
	metadata, unknownMetadata, err := metadataOf(object)
	var errs Mistakes
	for _, path := range slices.Concat(unknown, unknownMetadata) {
		errs = append(errs, at.locateName(path, unknownField(d.structural, path)))
	}
	if err != nil {
		return append(errs, at.undecoded(err))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, d.structural)
	defaulting.Default(object, d.structural)
	wrong := slices.Concat(
		objectvalidation.ValidateObjectMeta(metadata, true, checkName, field.NewPath("metadata")),
		validation.ValidateCustomResource(nil, object, d.schema))
	if len(wrong) == 0 { // rules take for granted what the schema says
		wrong = listtype.ValidateListSetsAndMaps(nil, d.structural, object)
		broken, _ := d.rules.Validate(ctx, nil, d.structural, object, nil, celconfig.RuntimeCELCostBudget)
		wrong = append(wrong, broken...)
	}
	for _, e := range wrong {
		errs = append(errs, at.refused(e))
	}
	return errs
}

// metadataOf decodes an object's metadata, and gives the paths of its fields that nobody knows. If the file names no namespace, the
// one that is current when it is applied is used.
func metadataOf(object map[string]any) (*metav1.ObjectMeta, []string, error) {
	options := objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true}
	metadata, found, unknown, err := objectmeta.GetObjectMetaWithOptions(object, options)
	if err != nil {
		return nil, unknown, fmt.Errorf("decode: %w", err)
	}
	if !found {
		metadata = &metav1.ObjectMeta{}
	}
	if members, ok := object["metadata"].(map[string]any); ok && metadata.Name == "" && metadata.GenerateName != "" {
		metadata.Name = metadata.GenerateName + generated
		members["name"] = metadata.Name
	}
	if metadata.Namespace == "" {
		metadata.Namespace = metav1.NamespaceDefault
	}
	return metadata, unknown, nil
}

// generated stands for what an API server appends to generateName.
const generated = "00000"

// checkName refuses what no object can be named; the definition's rules want more.
func checkName(name string, prefix bool) []string {
	if len(objectvalidation.NameIsDNSSubdomain(name, prefix)) > 0 {
		return []string{"want a letter, then lowercase letters, digits and dashes, such as support-bot"}
	}
	return nil
}
