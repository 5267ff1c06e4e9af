package protocol

import (
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/test/parley"
)

// Every upstream of models that a config may have has a dialect, and a service without models has none.
func TestUpstreamsOfAConfigHaveADialect(t *testing.T) {
	u := &config.Upstream{OpenAI: &config.OpenAI{Model: "m"}}
	if name, model := u.Protocol(); DialectOf(u) == nil || model != "m" {
		t.Errorf("%q has no dialect", name)
	}
	plain := &config.Upstream{HTTP: &config.HTTP{}}
	if d := DialectOf(plain); d != nil || Passes(plain) != nil {
		t.Errorf("a plain service has the dialect %v", d)
	}
	if Formats()[config.FormatOpenAI] == nil {
		t.Error("the format of chunks has no dialect")
	}
}

// A protocol whose upstreams are all alike is one line: they have its endpoints, speak the front's dialect, and accept all requests.
func TestAProtocolOfOneLine(t *testing.T) {
	before := All
	t.Cleanup(func() { All = before })
	All = []Protocol{{Name: config.ProtocolOpenAI, Front: parley.Dialect{}}}
	u := &config.Upstream{OpenAI: &config.OpenAI{Model: "m"}}
	if d := DialectOf(u); d != llm.Dialect(parley.Dialect{}) || EditOf(u) != nil {
		t.Errorf("it speaks %T, and edits requests: %v", d, EditOf(u) != nil)
	}
	if passes := Passes(u); len(passes) != len(parley.Dialect{}.Endpoints()) {
		t.Errorf("it has the endpoints %v", passes)
	}
}

// No two protocols have the same name or the same endpoints.
func TestProtocolsAreToldApart(t *testing.T) {
	seen := map[any]bool{}
	for _, p := range All {
		for _, of := range []any{p.Name, llm.Dialect(p.Front), p.Prefix + p.Front.Path(), p.Prefix + p.Front.ModelsPath()} {
			if seen[of] {
				t.Errorf("%v is there twice", of)
			}
			seen[of] = true
		}
	}
}
