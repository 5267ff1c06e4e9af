package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// named gives the kind that was visited, by the type of its member.
type named struct{}

func (named) Chat(m *Chat) any             { return m }
func (named) Embeddings(m *Embeddings) any { return m }
func (named) HTTP(m *HTTPCall) any         { return m }
func (named) Call(m *Call) any             { return m }
func (named) Agent(m *Agent) any           { return m }
func (named) Gather(m *Gather) any         { return m }
func (named) ForEach(m *ForEach) any       { return m }
func (named) Set(m *Set) any               { return m }
func (named) Respond(m *Respond) any       { return m }

// Each member of a step that is not something around its work is a kind: it is listed by its name, and visited.
func TestEachKindIsVisited(t *testing.T) {
	around := []string{"name", "when", "timeout", "onError"}
	var kinds []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Step]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || slices.Contains(around, name) {
			continue
		}
		kinds = append(kinds, name)
		var s Step
		member := reflect.New(field.Type.Elem())
		reflect.ValueOf(&s).Elem().FieldByIndex(field.Index).Set(member)
		if set, _ := s.Kinds(); !slices.Equal(set, []string{name}) {
			t.Errorf("of a step with %s the kinds %v are set", name, set)
		}
		if visited, ok := OfStep(&s, named{}); !ok || visited != member.Interface() {
			t.Errorf("a step with %s is visited as a %T, %v", name, visited, ok)
		}
	}
	_, all := (&Step{}).Kinds()
	if diff := cmp.Diff(kinds, all); diff != "" {
		t.Error(diff)
	}
	if _, ok := OfStep(&Step{}, named{}); ok {
		t.Error("a step without a kind is visited")
	}
}

// visits reports whether a strategy is visited: a nil Strategies panics when one of its methods is called.
func visits(strategy string) (called bool) {
	defer func() { called = recover() != nil }()
	OfStrategy[any](strategy, nil)
	return false
}

// Each row has a method of its name, which is called, and says how its branches follow each other. Each setting of a gather belongs
// to one row.
func TestEachStrategyIsVisited(t *testing.T) {
	methods := reflect.TypeFor[Strategies[any]]()
	if rows := len(AllStrategies); rows != methods.NumMethod() {
		t.Errorf("there are %d rows and %d methods", rows, methods.NumMethod())
	}
	own := map[string]bool{"strategy": true, "branches": true}
	for _, s := range AllStrategies {
		if _, has := methods.MethodByName(s.Name); !has || !visits(s.Name) {
			t.Errorf("%s has no method, or is not visited", s.Name)
		}
		if s.Order == 0 || s.MaxBranches == 0 {
			t.Errorf("%s does not say how its branches follow each other, or how many there may be", s.Name)
		}
		if s.Own != nil {
			member, _ := s.Own(&Gather{})
			own[member] = true
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Gather]()) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !own[name] {
			t.Errorf("%s of a gather belongs to no strategy", name)
		}
	}
	if visits("None") {
		t.Error("a strategy that there is not is visited")
	}
}
