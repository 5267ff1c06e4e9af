package protocol

import (
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/llm"
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
