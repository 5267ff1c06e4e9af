// Package variants has suites run with each engine and each client of upstreams, and not each suite once for each of them: what
// is not said is drawn from the seed of the run.
package variants

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/test/seed"
)

// The variables that say which engine and which client of upstreams the gateways of a suite have.
const (
	EngineVariable = "LLMSERVICE_TEST_ENGINE"
	ClientVariable = "LLMSERVICE_TEST_UPSTREAM_CLIENT"
)

// Variant is how a gateway reads connections and calls upstreams.
type Variant struct {
	Engine gateway.Engine
	Client upstream.Kind
}

// String is the variant's name, for that of a test.
func (v Variant) String() string { return string(v.Engine) + "+" + string(v.Client) }

var (
	engines = []gateway.Engine{gateway.HTTP1, gateway.NetHTTP}
	clients = []upstream.Kind{upstream.Own, upstream.NetHTTP}
)

// Of returns the variant of a test, and prints it.
func Of(t testing.TB) Variant {
	t.Helper()
	r := drawing(t)
	v := Variant{engines[r.IntN(len(engines))], clients[r.IntN(len(clients))]}
	v, _ = v.named(t)
	t.Logf("variant %s", v)
	return v
}

// Each returns variants that together have each engine and each client, in pairs that are drawn. If the environment names
// one, it is the only one.
func Each(t testing.TB) []Variant {
	t.Helper()
	first := drawing(t).IntN(len(clients))
	all := []Variant{{engines[0], clients[first]}, {engines[1], clients[1-first]}}
	if v, named := all[0].named(t); named {
		return []Variant{v}
	}
	return all
}

// drawing draws something else for each test.
func drawing(t testing.TB) *rand.Rand {
	t.Helper()
	name := fnv.New64a()
	_, _ = name.Write([]byte(t.Name()))                    // it cannot fail
	return rand.New(rand.NewPCG(seed.Of(t), name.Sum64())) //nolint:gosec // what is tried is not a secret
}

// named is the variant with what the environment names, and reports whether it names anything.
func (v Variant) named(t testing.TB) (Variant, bool) {
	t.Helper()
	engine, client := os.Getenv(EngineVariable), os.Getenv(ClientVariable)
	if engine != "" {
		if err := v.Engine.UnmarshalText([]byte(engine)); err != nil {
			t.Fatalf("%s: %v", EngineVariable, err)
		}
	}
	if client != "" {
		if err := v.Client.UnmarshalText([]byte(client)); err != nil {
			t.Fatalf("%s: %v", ClientVariable, err)
		}
	}
	return v, engine != "" || client != ""
}
