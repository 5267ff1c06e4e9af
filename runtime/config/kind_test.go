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

type strategyNames struct{}

func (strategyNames) All() string        { return GatherAll }
func (strategyNames) AllSettled() string { return GatherAllSettled }
func (strategyNames) First() string      { return GatherFirst }
func (strategyNames) Fallback() string   { return GatherFallback }
func (strategyNames) Vote() string       { return GatherVote }

// Each method of Strategies has a row, each row says how its branches follow each other, and each setting of a gather belongs
// to one row.
func TestEachStrategyIsVisited(t *testing.T) {
	if rows, methods := len(AllStrategies), reflect.TypeFor[Strategies[string]]().NumMethod(); rows != methods {
		t.Errorf("there are %d rows and %d methods", rows, methods)
	}
	own := map[string]bool{"strategy": true, "branches": true}
	for _, s := range AllStrategies {
		if name, ok := OfStrategy(s.Name, strategyNames{}); !ok || name != s.Name {
			t.Errorf("%s is visited as %q, %v", s.Name, name, ok)
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
	if _, ok := OfStrategy("None", strategyNames{}); ok {
		t.Error("a strategy that there is not is visited")
	}
}
