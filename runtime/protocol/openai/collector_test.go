package openai

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// collect passes chunks through a tap with a collector.
func collect(t testing.TB, room int, chunks ...string) (*llm.Collector, []relay.EventKind) {
	t.Helper()
	c := llm.NewCollector(roomOf(room))
	tap := newTapWith(llm.TapOptions{Collector: c})
	var kinds []relay.EventKind
	for _, chunk := range chunks {
		raw := wire.AppendEvent(nil, "", []byte(chunk))
		_, kind := tap.Frame(nil, &wire.Frame{Raw: raw, HasData: true, Data: []byte(chunk)})
		kinds = append(kinds, kind)
	}
	return c, kinds
}

func deltas(members ...string) []string {
	var chunks []string
	for _, m := range members {
		chunks = append(chunks, `{"choices":[{"index":0,"delta":{`+m+`}}]}`)
	}
	return chunks
}

func TestCollectorGivesTheWholeAnswer(t *testing.T) {
	tests := map[string]struct {
		chunks []string
		whole  string
	}{
		"text": {
			[]string{
				`{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}`,
				`{"choices":[{"index":0,"delta":{"content":"Hé \u00e9"},"finish_reason":null}]}`,
				`{"choices":[{"index":0,"delta":{"content":"\n\"x\""},"finish_reason":null}]}`,
				`{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}`,
				`{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
				`[DONE]`,
			},
			`{"choices":[{"message":{"role":"assistant","content":"Hé é\n\"x\""},"finish_reason":"length"}],` +
				`"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		},
		"tool calls, interleaved": {
			deltas(
				`"role":"assistant","content":null`,
				`"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"now","arguments":""}}]`,
				`"tool_calls":[{"index":0,"id":"a","function":{"name":"fi","arguments":"{"}},{"index":1,"function":{"arguments":"{}"}}]`,
				`"tool_calls":[{"index":0,"function":{"name":"nd","arguments":"\"q\":1}"}}]`,
			),
			`{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[` +
				`{"id":"a","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}},` +
				`{"id":"b","type":"function","function":{"name":"now","arguments":"{}"}}]}}]}`,
		},
		"refusal": {
			deltas(`"refusal":"I "`, `"refusal":"will not"`),
			`{"choices":[{"message":{"role":"assistant","content":null,"refusal":"I will not"}}]}`,
		},
		"the first of two choices": {
			[]string{
				`{"choices":[{"index":1,"delta":{"content":"other"},"finish_reason":"length"},{"index":0,"delta":{"content":"a"}}]}`,
				`{"choices":[{"delta":{"content":"b"},"index":0}]}`,
				`{"choices":[{"delta":{"content":"c"}},{"delta":{"content":"other"}}]}`,
				`{"choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"x"}]},"finish_reason":"stop"}]}`,
			},
			`{"choices":[{"message":{"role":"assistant","content":"abc"}}]}`,
		},
		"nothing": {
			[]string{
				`{"choices":null}`, `{}`, `{"choices":[{"delta":null}]}`, `{"choices":[{}]}`, `{"choices":[{"index":0,"delta":{"content":null,"tool_calls":null}}]}`,
				`{"choices":[{"index":0,"delta":{"tool_calls":[]},"finish_reason":null}],"usage":null}`,
			},
			`{"choices":[{"message":{"role":"assistant","content":""}}]}`,
		},
		"null parts": {
			deltas(
				`"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":null}}]`,
				`"tool_calls":[{"index":0,"id":null,"function":null}]`, `"tool_calls":[{"index":0,"function":{"name":null,"arguments":"{}"}}]`,
			),
			`{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := collect(t, 1<<10, tt.chunks...)
			want, err := readCompletion([]byte(tt.whole))
			if err != nil {
				t.Fatal(err)
			}
			got := c.Completion()
			turn := got.Turn()
			got.Message = turn.JSON()
			if diff := cmp.Diff(want, got); diff != "" || c.Err() != nil {
				t.Errorf("%v (-want +got):\n%s", c.Err(), diff)
			}
		})
	}
}

// Servers differ in the index, the id and the name of a part.
func TestCollectorTellsToolCallsApart(t *testing.T) {
	part := func(members string) string { return `"tool_calls":[{` + members + `}]` }
	two := []llm.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "f", Arguments: "[]"}}
	tests := map[string]struct {
		parts []string
		want  []llm.ToolCall
	}{
		"every call has index 0": {
			[]string{
				part(`"index":0,"id":"a","function":{"name":"f","arguments":"{"}`), part(`"index":0,"function":{"arguments":"}"}`),
				part(`"index":0,"id":"b","function":{"name":"f","arguments":"["}`), part(`"index":0,"id":"","function":{"arguments":"]"}`),
			}, two,
		},
		"the name in every part": {
			[]string{
				part(`"index":0,"function":{"name":"f","arguments":"{"}`), part(`"index":0,"function":{"name":"f","arguments":"}"}`),
			}, []llm.ToolCall{{Name: "f", Arguments: "{}"}},
		},
		"another id in every part": {
			[]string{
				part(`"index":0,"id":"a","function":{"name":"f","arguments":"{"}`), part(`"index":0,"id":"a2","function":{"arguments":"}"}`),
			}, []llm.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}},
		},
		"no index": {
			[]string{
				part(`"id":"a","function":{"name":"f","arguments":"{"}`), part(`"function":{"arguments":"}"}`),
				part(`"index":null,"id":"b","function":{"name":"f","arguments":"["}`), part(`"id":"b","function":{"arguments":"]"}`),
			}, two,
		},
		"no index, told by id": {
			[]string{
				part(`"id":"a","function":{"name":"f","arguments":"{"}`), part(`"id":"b","function":{"name":"f","arguments":"["}`),
				part(`"id":"a","function":{"name":"f","arguments":"}"}`), part(`"id":"b","function":{"arguments":"]"}`),
			}, two,
		},
		"neither index nor id": {
			[]string{part(`"function":{"name":"f","arguments":"{}"}`), part(`"function":{"name":"g","arguments":"{}"}`)},
			[]llm.ToolCall{{Name: "f", Arguments: "{}"}, {Name: "g", Arguments: "{}"}},
		},
		"a part before any call": {
			[]string{part(`"function":{"arguments":"{}"}`)}, []llm.ToolCall{{Arguments: "{}"}},
		},
		"indexes with gaps": {
			[]string{part(`"index":2000000000,"id":"b","function":{"name":"f","arguments":"[]"}`), part(`"index":7,"id":"a","function":{"name":"f","arguments":"{}"}`)}, two,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := collect(t, 1<<10, deltas(tt.parts...)...)
			if diff := cmp.Diff(tt.want, c.Completion().ToolCalls); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCollectorIsBounded(t *testing.T) {
	for name, chunks := range map[string][]string{
		"text":      deltas(`"content":"12345"`, `"content":"678901"`),
		"refusal":   deltas(`"refusal":"12345678901"`),
		"arguments": deltas(`"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":"123456789"}}]`),
	} {
		c, kinds := collect(t, 10, chunks...)
		if last := kinds[len(kinds)-1]; last != relay.Broken || !errors.Is(c.Err(), errNoRoom) {
			t.Errorf("%s: %v, %v", name, last, c.Err())
		}
		if got := c.Completion(); len(got.Text)+len(got.Refusal) > 10 {
			t.Errorf("%s: kept %+v", name, got)
		}
	}
	var calls []string
	for i := range llm.MaxToolCalls + 1 {
		calls = append(calls, `"tool_calls":[{"index":`+strconv.Itoa(i)+`}]`)
	}
	if c, _ := collect(t, 1<<20, deltas(calls...)...); !errors.Is(c.Err(), llm.ErrTooManyCalls) || len(c.Completion().ToolCalls) != llm.MaxToolCalls {
		t.Errorf("%v with %d calls", c.Err(), len(c.Completion().ToolCalls))
	}
	if c, kinds := collect(t, 10, deltas(`"content":"1234567890"`)...); c.Err() != nil || kinds[0] != relay.Content {
		t.Errorf("exactly at the bound: %v, %v", kinds, c.Err())
	}
}

// FuzzCollector checks that the bound holds for any input, and that the message can be sent back.
func FuzzCollector(f *testing.F) {
	f.Add(`{"choices":[{"delta":{"content":"a","tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":"{}"}}]}}]}`)
	f.Add(strings.Join(deltas(`"content":"a"`, `"tool_calls":[{"id":"1","function":{"name":"f"}}]`, `"tool_calls":[{"function":{"arguments":"1"}}]`), "\n"))
	f.Fuzz(func(t *testing.T, chunks string) {
		const room = 64
		c, _ := collect(t, room, strings.Split(chunks, "\n")...)
		got := c.Completion()
		size := len(got.Text) + len(got.Refusal)
		for _, call := range got.ToolCalls {
			size += len(call.ID) + len(call.Name) + len(call.Arguments)
		}
		if size > room || len(got.ToolCalls) > llm.MaxToolCalls {
			t.Errorf("%d bytes and %d calls of %q", size, len(got.ToolCalls), chunks)
		}
		turn := got.Turn()
		if _, wrong := llm.ParseMessages(append(append(jsontext.Value("["), turn.JSON()...), ']')); wrong != nil {
			t.Errorf("%q cannot be sent back: %v", turn.JSON(), wrong)
		}
	})
}

var errNoRoom = relay.Failure{Kind: relay.FailedBudget}

// roomOf lets a collector keep this many bytes.
func roomOf(bytes int) func(int) error {
	return func(n int) error {
		if bytes -= n; bytes < 0 {
			return errNoRoom
		}
		return nil
	}
}

func keepAll(int) error { return nil }
