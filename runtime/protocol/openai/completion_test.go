package openai

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/llm"
)

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestParseCompletion(t *testing.T) {
	const calls = `{"role":"assistant","content":null,"tool_calls":[` +
		`{"id":"c1","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}},{"type":"function","function":{"name":"now"}}]}`
	tests := map[string]struct {
		body string
		want llm.Completion
	}{
		"text": {
			`{"choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"},{"message":{"content":"second"}}],` +
				`"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"x":{}},"x":1}`,
			llm.Completion{
				Text: "hello", FinishReason: "stop", Message: jsontext.Value(`{"role":"assistant","content":"hello"}`),
				Usage:  jsontext.Value(`{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"x":{}}`),
				Tokens: llm.Tokens{Prompt: 1, Completion: 2, Total: 3},
			},
		},
		"tool calls": {
			`{"choices":[{"message":` + calls + `,"finish_reason":"tool_calls"}],"usage":null}`,
			llm.Completion{
				FinishReason: "tool_calls", Message: jsontext.Value(calls),
				ToolCalls: []llm.ToolCall{{ID: "c1", Name: "find", Arguments: `{"q":1}`}, {Name: "now"}},
			},
		},
		"refusal": {
			`{"choices":[{"message":{"refusal":"no","tool_calls":null},"finish_reason":null}],"usage":"free"}`,
			llm.Completion{Refusal: "no", Message: jsontext.Value(`{"refusal":"no","tool_calls":null}`)},
		},
		"usage without a total, and with what is no count": {
			`{"choices":[{"message":{}}],"usage":{"prompt_tokens":4,"completion_tokens":-1,"total_tokens":9e18}}`,
			llm.Completion{
				Message: jsontext.Value(`{}`), Usage: jsontext.Value(`{"prompt_tokens":4,"completion_tokens":-1,"total_tokens":9e18}`),
				Tokens: llm.Tokens{Prompt: 4, Total: 4},
			},
		},
		"counts beyond reason": {
			`{"choices":[{"message":{}}],"usage":{"prompt_tokens":9223372036854775807,"total_tokens":1}}`,
			llm.Completion{
				Message: jsontext.Value(`{}`), Usage: jsontext.Value(`{"prompt_tokens":9223372036854775807,"total_tokens":1}`),
				Tokens: llm.Tokens{Total: 1},
			},
		},
	}
	for name, tt := range tests {
		got, err := readCompletion([]byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(tt.want, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, body := range map[string]string{
		"no choices": `{"choices":[]}`, "choices that are null": `{"choices":null}`, "choices that are none": `{"choices":[null,1]}`,
		"no JSON": `oops`, "cut": `{"choices":[{"message":{"content":"a"`, "nothing": ``, "a list": `[{"choices":[{}]}]`,
		"calls": `{"choices":[{"message":{"tool_calls":[` + strings.Repeat(`{},`, llm.MaxToolCalls) + `{}]}}]}`,
	} {
		if _, err := readCompletion([]byte(body)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTokensAdd(t *testing.T) {
	sum := llm.Tokens{Prompt: 1, Completion: 2, Total: 3}
	sum.Add(llm.Tokens{Prompt: 10, Completion: 20, Total: 30})
	if want := (llm.Tokens{Prompt: 11, Completion: 22, Total: 33}); sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
}

func TestWithAlias(t *testing.T) {
	got, err := (Dialect{}).Rename([]byte(`{"id":"1", "model" : "real","choices":[{"model":"x"}]}`), "alias", &llm.Used{})
	if want := `{"id":"1", "model" : "alias","choices":[{"model":"x"}]}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

func TestEmbeddingsBody(t *testing.T) {
	e := llm.Embeddings{Input: []string{"a", "b\n"}}
	for parameters, want := range map[string]string{
		``:                                  `,"encoding_format":"float"`,
		`{"dimensions":3,"model":"x"}`:      `,"dimensions":3,"encoding_format":"float"`,
		`{"encoding_format":null,"x":null}`: ``,
		`{"encoding_format":"base64"}`:      `,"encoding_format":"base64"`,
	} {
		e.Parameters = jsontext.Value(parameters)
		got, err := embeddingsBody(&e, "m")
		if want := `{"model":"m","input":["a","b\n"]` + want + `}`; err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", parameters, got, err, want)
		}
	}
	e.Parameters = jsontext.Value(`1`)
	if _, err := embeddingsBody(&e, "m"); err == nil {
		t.Error("parameters that are a number were accepted")
	}
}

func TestParseEmbeddings(t *testing.T) {
	got, err := readVectors([]byte(`{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,-2e-3]}],`+
		`"usage":{"prompt_tokens":5,"total_tokens":5}}`), 2)
	want := &llm.Vectors{
		Vectors: [][]float64{{1, -0.002}, {3, 4}}, Usage: jsontext.Value(`{"prompt_tokens":5,"total_tokens":5}`),
		Tokens: llm.Tokens{Prompt: 5, Total: 5},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := readVectors([]byte(`{"data":[{"embedding":[1]},{"embedding":[2]}]}`), 2); err != nil || got.Vectors[1][0] != 2 {
		t.Errorf("without indexes: %+v, %v", got, err)
	}
	if got, err := readVectors([]byte(`{"data":[{"embedding":"AACAPwAAIMA="},{"embedding":[2]}]}`), 2); err != nil ||
		!slices.Equal(got.Vectors[0], []float64{1, -2.5}) {
		t.Errorf("base64: %+v, %v", got, err)
	}
	for name, data := range map[string]string{
		"too few": `{"embedding":[1]}`, "twice": `{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}`,
		"beyond": `{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}`, "negative": `{"index":-1,"embedding":[1]},{"embedding":[1]}`,
		"empty": `{"embedding":[1]},{"embedding":[]}`, "half a float": `{"embedding":"AACA"},{"embedding":[1]}`, "no base64": `{"embedding":"?"},{"embedding":[1]}`,
		"NaN": `{"embedding":"AADAfw=="},{"embedding":[1]}`, "no text": `{"embedding":""},{"embedding":[1]}`, "cut": `{"embedding":[1`,
	} {
		if _, err := readVectors([]byte(`{"data":[`+data+`]}`), 2); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseCompletion(f *testing.F) {
	f.Add([]byte(`{"choices":[{"message":{"content":"a","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}}],"usage":{"total_tokens":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := readCompletion(body)
		if err != nil {
			return
		}
		turn := c.Turn()
		if !turn.JSON().IsValid() || (c.Usage != nil && !c.Usage.IsValid()) || c.Tokens.Total < 0 {
			t.Errorf("%q gave %+v", body, c)
		}
		if _, err := chatBody(&llm.Chat{Messages: []llm.Message{turn}}, "m"); err != nil {
			t.Errorf("%q cannot be sent back: %v", body, err)
		}
	})
}

// The errors of an answer go to logs, which must not repeat an upstream's words.
func TestErrorsQuoteNothingOfTheAnswer(t *testing.T) {
	for _, body := range []string{
		`{"MARK":1,"MARK":2}`, `{"choices":"MARK"}`, `{"choices":["MARK"],"data":[{"embedding":["MARK"]}]}`, `MARK`, `["MARK"]`, `{"MARK":MARK}`,
		`{"choices":{"MARK":1},"data":[{"embedding":[123456789e999]}]}`, `{"data":[{"index":"MARK"}]}`, `{"error":"MARK","choices":[{}]}`,
	} {
		_, completion := readCompletion([]byte(body))
		_, embeddings := readVectors([]byte(body), 1)
		for _, err := range []error{completion, embeddings} {
			if err == nil || strings.Contains(err.Error(), "MARK") || strings.Contains(err.Error(), "123456789") {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
}
