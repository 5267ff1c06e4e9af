package variants

import (
	"fmt"
	"testing"

	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/test/seed"
)

// Whatever the seed, each engine and each client has its turn; over some seeds, so have all pairs.
func TestEach(t *testing.T) {
	t.Setenv(EngineVariable, "")
	t.Setenv(ClientVariable, "")
	pairs := map[Variant]bool{}
	for n := range 20 {
		t.Setenv(seed.Variable, fmt.Sprint(n))
		all := Each(t)
		if len(all) != 2 || all[0].Engine == all[1].Engine || all[0].Client == all[1].Client {
			t.Errorf("seed %d: %v", n, all)
		}
		for _, v := range append(all, Of(t)) {
			pairs[v] = true
		}
	}
	if len(pairs) != len(engines)*len(clients) {
		t.Errorf("only %v are drawn", pairs)
	}
}

func TestTheEnvironmentDecides(t *testing.T) {
	t.Setenv(EngineVariable, "nethttp")
	t.Setenv(ClientVariable, "own")
	want := Variant{gateway.NetHTTP, upstream.Own}
	if got := Each(t); len(got) != 1 || got[0] != want || Of(t) != want {
		t.Errorf("got %v", got)
	}
}
