package program

import (
	"reflect"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// visited gives the work that was visited.
type visited struct{}

func (visited) Chat(w *Chat) Work             { return w }
func (visited) Embeddings(w *Embeddings) Work { return w }
func (visited) HTTP(w *HTTP) Work             { return w }
func (visited) Call(w *Call) Work             { return w }
func (visited) Agent(w *Agent) Work           { return w }
func (visited) Gather(w *Gather) Work         { return w }
func (visited) ForEach(w *ForEach) Work       { return w }
func (visited) Set(w *Set) Work               { return w }
func (visited) Respond(w *Respond) Work       { return w }

// Each kind of the contract has one of a program's, which is visited as itself.
func TestEachKindOfWorkIsVisited(t *testing.T) {
	kinds := reflect.TypeFor[Kinds[Work]]()
	if n := reflect.TypeFor[config.StepKinds[Work]]().NumMethod(); n != kinds.NumMethod() {
		t.Errorf("the contract has %d kinds, and a program %d", n, kinds.NumMethod())
	}
	for kind := range kinds.Methods() {
		work, ok := reflect.TypeAssert[Work](reflect.New(kind.Type.In(0).Elem()))
		if !ok {
			t.Errorf("%s is not work", kind.Name)
		} else if got := OfWork[Work](work, visited{}); got != work {
			t.Errorf("%s is visited as a %T", kind.Name, got)
		}
	}
}
