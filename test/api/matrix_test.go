package api

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/test/seed"
)

const (
	// editsVariable is how many edits are drawn, or all; pairsVariable how many pairs of them.
	editsVariable, pairsVariable = "LLMSERVICE_EDITS", "LLMSERVICE_PAIRS"
	// What is drawn unless these say otherwise takes half a minute; all takes some minutes.
	fewEdits, fewPairs = 600, 300
)

// draw returns a source of numbers with a seed that is printed.
func draw(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(seed.Of(t), 0))
}

// howMany is what a variable says, or else some. All of them is most.
func howMany(t *testing.T, variable string, some, most int) int {
	t.Helper()
	switch text := os.Getenv(variable); text {
	case "":
		return some
	case "all":
		return most
	default:
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v, want a number or all", variable, err)
		}
		return min(n, most)
	}
}

// matrix is one stored service whose fields are changed and changed back.
type matrix struct {
	t        *testing.T
	original *unstructured.Unstructured
	version  string
	// children are those of the original, and taken those that the API server takes as they are.
	children map[string]string
	taken    map[string]bool
	// refused, reported and converged count what became of the edits.
	refused, reported, converged int
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{t: t, original: everyField(t), taken: map[string]bool{}}
	m.original.SetName("matrix")
	delete(m.original.Object, "status")
	object := m.original.DeepCopy()
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	m.version = object.GetResourceVersion()
	children, problem := m.render("nothing changed")
	if problem != "" {
		t.Fatal(problem)
	}
	m.children = children
	return m
}

// try makes the edits, and takes them back. Each spec is refused, or reported with its field, or it has children that the
// API server takes. Nothing is refused without the field's name, and taken back all is as before, byte for byte.
func (m *matrix) try(edits ...fieldEdit) {
	m.t.Helper()
	object := m.original.DeepCopy()
	for _, e := range edits {
		if !editable(object, e) {
			return
		}
		put(object, e.path, copied(e.value)) // another edit may change what it holds
	}
	if err := m.update(object); err != nil {
		m.refused++
		m.checkRefusal(edits, err)
		return
	}
	children, problem := m.render(edits)
	switch {
	case problem != "":
		m.reported++
		if !namesAField.MatchString(problem) {
			m.t.Errorf("%v: the report names no field: %s", edits, problem)
		}
	case children != nil:
		m.converged++
	}
	if err := m.update(m.original.DeepCopy()); err != nil {
		m.t.Fatalf("%v taken back: %v", edits, err)
	}
	if children, _ := m.render(edits); !reflect.DeepEqual(children, m.children) {
		m.t.Errorf("%v taken back: the children are others than before", edits)
	}
}

// copied shares no map and no list with the value.
func copied(value any) any {
	switch value := value.(type) {
	case map[string]any:
		members := make(map[string]any, len(value))
		for name, member := range value {
			members[name] = copied(member)
		}
		return members
	case []any:
		items := make([]any, len(value))
		for i, item := range value {
			items[i] = copied(item)
		}
		return items
	}
	return value
}

// editable reports whether the way to the field is still there: another edit may have removed it.
func editable(object *unstructured.Unstructured, e fieldEdit) bool {
	around, last := cutLast(e.path)
	if list, ok := at(object, around).([]any); ok {
		i, err := strconv.Atoi(last)
		return err == nil && i < len(list)
	}
	return at(object, around) != nil
}

// cutLast cuts a path before its last step.
func cutLast(path string) (around, last string) {
	at := strings.LastIndexAny(path, ".[")
	return path[:at], strings.Trim(path[at:], ".[]")
}

var namesAField = regexp.MustCompile(`^(upstreams|models|functions|dependencies|routes|runtime|scaling|openAPI|exposure)\b`)

func (m *matrix) checkRefusal(edits []fieldEdit, err error) {
	m.t.Helper()
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		m.t.Errorf("%v: got %v, want Invalid or BadRequest", edits, err)
	}
	for _, e := range edits {
		for _, name := range step.FindAllString(e.path, -1) {
			if _, err := strconv.Atoi(name); err != nil && name != "spec" && strings.Contains(fmt.Sprint(err), name) {
				return
			}
		}
		if _, last := cutLast(anyIndex.ReplaceAllString(e.path, "")); strings.Contains(err.Error(), last) {
			return
		}
	}
	m.t.Errorf("%v: the refusal names none of the fields: %.300v", edits, err)
}

func (m *matrix) update(object *unstructured.Unstructured) error {
	object.SetResourceVersion(m.version)
	if err := api.Update(m.t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		return err
	}
	m.version = object.GetResourceVersion()
	return nil
}

// render goes the operator's way: it reads the service as a controller does, and returns its children by kind, or what the
// condition would say. The API server is asked whether it takes them.
func (m *matrix) render(of any) (children map[string]string, problem string) {
	m.t.Helper()
	service := &v1alpha1.LLMService{}
	if err := api.Get(m.t.Context(), client.ObjectKeyFromObject(m.original), service); err != nil {
		m.t.Fatalf("%v: a typed client cannot read it: %v", of, err)
	}
	service.Generation = 1 // which counts the edits, and is among what is kept of an accepted spec
	gateway := render.GatewaySettings{Image: "registry.example.com/gateway:v1"}
	if errs := append(gateway.CheckAllowed(service), render.CheckChildren(service)...); len(errs) > 0 {
		return nil, errs[0].Path + ": " + errs[0].Message
	}
	contract, err := render.Contract(service)
	if err != nil {
		m.t.Errorf("%v: the API accepts what cannot be translated: %v", of, err)
		return nil, ""
	}
	if errs := program.Validate(contract); len(errs) > 0 {
		return nil, errs[0].Path + ": " + errs[0].Message
	}
	encoded, err := config.Encode(contract)
	if err != nil {
		return nil, "routes: " + err.Error() // too large: of no one field
	}
	all, err := render.Kinds().Children(render.Input{
		Service: service, Current: render.NewDocument(encoded, contract), Replicas: *service.Spec.Replicas,
		Gateway: gateway,
	})
	if err != nil {
		m.t.Errorf("%v: the API accepts what cannot be rendered: %v", of, err)
		return nil, ""
	}
	children = map[string]string{}
	for i := range all {
		children[all[i].Kind] = all[i].Hash
		if all[i].Apply != nil {
			m.ask(of, &all[i])
		}
	}
	return children, ""
}

// ask has the API server take a child, without storing it, once for each rendering: the answer must have all that was
// rendered, or the operator would take the difference for somebody's edit.
func (m *matrix) ask(of any, child *render.Child) {
	m.t.Helper()
	key := child.Kind + child.Hash
	if m.taken[key] {
		return
	}
	m.taken[key] = true
	rendered, err := child.Unstructured()
	if err != nil {
		m.t.Fatal(err)
	}
	answer := rendered.DeepCopy()
	err = api.Apply(m.t.Context(), client.ApplyConfigurationFromUnstructured(answer),
		client.FieldOwner("test"), client.ForceOwnership, client.DryRunAll)
	if err != nil && strings.Contains(err.Error(), "cluster is not configured for dual-stack") {
		return // another cluster takes it; here, the status has these words
	}
	if err != nil {
		m.t.Errorf("%v: the API accepts it, and refuses its %s: %v", of, child.Kind, err)
		return
	}
	if !has(answer.Object, rendered.Object) {
		m.t.Errorf("%v: the API server changes the %s that is rendered", of, child.Kind)
	}
}

// has reports whether a value has all that another one has. What is false or empty the API may leave out.
func has(value, other any) bool {
	switch other := other.(type) {
	case map[string]any:
		members, ok := value.(map[string]any)
		ok = ok || len(other) == 0
		for name := range other {
			ok = ok && has(members[name], other[name])
		}
		return ok
	case []any:
		items, ok := value.([]any)
		ok = (ok || len(other) == 0) && len(items) == len(other)
		for i := range other {
			ok = ok && has(items[i], other[i])
		}
		return ok
	case bool:
		return value == other || value == nil && !other
	}
	return reflect.DeepEqual(value, other)
}

// Every field of the spec, at its bounds, beyond them, of another type, removed, and put back.
func TestEveryFieldIsRefusedOrReportedOrServed(t *testing.T) {
	random := draw(t)
	m := newMatrix(t)
	fields := specFields(t, m.original)
	var edits []fieldEdit
	for _, f := range fields {
		edits = append(edits, f.edits()...)
	}
	if len(fields) < 400 || len(edits) < 5000 {
		t.Errorf("%d fields, %d edits: the test tests nothing", len(fields), len(edits))
	}
	random.Shuffle(len(edits), func(i, j int) { edits[i], edits[j] = edits[j], edits[i] })
	for _, e := range edits[:howMany(t, editsVariable, fewEdits, len(edits))] {
		m.try(e)
	}
	m.checkShares()
}

// Two fields at once: what one rule takes for granted, another edit may have taken away.
func TestPairsOfEditsAreRefusedOrReportedOrServed(t *testing.T) {
	random := draw(t)
	m := newMatrix(t)
	var edits []fieldEdit
	for _, f := range specFields(t, m.original) {
		edits = append(edits, f.edits()...)
	}
	for range howMany(t, pairsVariable, fewPairs, math.MaxInt) {
		m.try(edits[random.IntN(len(edits))], edits[random.IntN(len(edits))])
	}
	m.checkShares()
}

// checkShares failsif one of the three ways was not taken by a good part of the edits.
func (m *matrix) checkShares() {
	m.t.Helper()
	total := m.refused + m.reported + m.converged
	m.t.Logf("%d refused, %d reported, %d served", m.refused, m.reported, m.converged)
	if least := total / 50; total < 50 || min(m.refused, m.reported, m.converged) < least {
		m.t.Error("these are few of a kind: the test tests nothing")
	}
}
