package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// TestRenderingIsAFunction: what differs in the order of members only is rendered to the same bytes, each time. An operator
// that rendered anything else would write for ever, or replace pods for nothing.
func TestRenderingIsAFunction(t *testing.T) {
	for _, name := range []string{"minimal", "full", everyField} {
		want := manifestOf(t, children(t, input(t, service(t, name))))
		for seed := range uint64(20) {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				got := manifestOf(t, children(t, input(t, shuffled(t, name, seed))))
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// shuffled reads a service from JSON whose members are in another order.
func shuffled(t *testing.T, name string, seed uint64) *v1alpha1.LLMService {
	t.Helper()
	var content any
	if err := yaml.Unmarshal(text(t, name), &content); err != nil {
		t.Fatal(err)
	}
	var encoded bytes.Buffer
	encode(t, &encoded, content, rand.New(rand.NewPCG(seed, 0)))
	return loaded(t, encoded.Bytes())
}

// encode writes the members of each object in an order of its own.
func encode(t *testing.T, to *bytes.Buffer, value any, random *rand.Rand) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		var keys []string
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		to.WriteByte('{')
		for i, key := range keys {
			if i > 0 {
				to.WriteByte(',')
			}
			encode(t, to, key, random)
			to.WriteByte(':')
			encode(t, to, v[key], random)
		}
		to.WriteByte('}')
	case []any:
		to.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				to.WriteByte(',')
			}
			encode(t, to, item, random)
		}
		to.WriteByte(']')
	default:
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		to.Write(text)
	}
}
