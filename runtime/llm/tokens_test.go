package llm

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Each token has one price, no matter where the upstream counts it.
func TestPartsOfTokens(t *testing.T) {
	type parts struct{ input, cached, output, reasoning int64 }
	for usage, want := range map[string]parts{
		`{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}`: {input: 9, output: 5},
		`{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":1},` +
			`"completion_tokens_details":{"reasoning_tokens":2}}`: {5, 4, 3, 2},
		// Reasoning may be left out of the completion, and counted only in the total.
		`{"prompt_tokens":9,"completion_tokens":5,"total_tokens":20}`:                                                    {input: 9, output: 11},
		`{"prompt_tokens":9,"completion_tokens":5,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":6}}`: {9, 0, 5, 6},
		// Impossible numbers are bounded by the number that they are a part of.
		`{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9},"completion_tokens_details":{"reasoning_tokens":7}}`: {0, 3, 0, 1},
		`{"prompt_tokens":"3","completion_tokens":-1,"prompt_tokens_details":[1],"completion_tokens_details":null}`:                                {input: 3},
		`{}`: {},
	} {
		var got parts
		tokens := TokensOf(jsontext.Value(usage))
		got.input, got.cached, got.output, got.reasoning = tokens.Parts()
		if got != want {
			t.Errorf("%s: %+v, want %+v", usage, got, want)
		}
	}
	if got := InputAlone(Tokens{Total: 8}); got.Prompt != 8 || got.Completion != 0 {
		t.Errorf("of vectors: %+v", got)
	}
}

// The sum of several calls includes the cached and the reasoning tokens, and can be read again.
func TestUsageOfSeveralCalls(t *testing.T) {
	one := Tokens{Prompt: 9, Completion: 5, Total: 14, Cached: 4, Reasoning: 2}
	sum := one
	sum.Add(one)
	const want = `{"prompt_tokens":18,"completion_tokens":10,"total_tokens":28,"prompt_tokens_details":{"cached_tokens":8},` +
		`"completion_tokens_details":{"reasoning_tokens":4}}`
	if got := UsageOf(sum); string(got) != want || TokensOf(got) != sum {
		t.Errorf("%s, read as %+v", got, TokensOf(got))
	}
	if got := UsageOf(Tokens{Prompt: 1, Total: 1}); string(got) != `{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}` {
		t.Errorf("%s", got)
	}
	if got := UsageOf(Tokens{}); got != nil {
		t.Errorf("of nothing: %s", got)
	}
}

// The last usage counts, unless it has no tokens, or is too large.
func TestUsedReadsTheLastUsage(t *testing.T) {
	for name, tt := range map[string]struct {
		usages []string
		want   int64
	}{
		"none":      {nil, 0},
		"one":       {[]string{`{"prompt_tokens":1,"completion_tokens":2}`}, 3},
		"several":   {[]string{`{"prompt_tokens":1,"completion_tokens":2}`, `{"prompt_tokens":1,"completion_tokens":7}`}, 8},
		"zeros":     {[]string{`{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`}, 0},
		"too large": {[]string{`{"total_tokens":1,"x":"` + strings.Repeat("x", maxUsage) + `"}`}, 0},
	} {
		var used Used
		for _, usage := range tt.usages {
			used.Report([]byte(usage))
		}
		if got, reported := used.Tokens(); got.Total != tt.want || reported != (tt.want > 0) {
			t.Errorf("%s: %+v, %v", name, got, reported)
		}
	}
	var used Used
	for _, bytes := range []int{10, maxFraming, maxFraming + 1, maxFraming + 41} {
		used.Event(bytes)
	}
	if used.Said != 4+1+11 {
		t.Errorf("said about %d tokens", used.Said)
	}
}
