package mockllm

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChooseScript(t *testing.T) {
	base := Script{Tokens: 16, TokenDelay: Duration(time.Second)}
	tests := map[string]struct {
		header, prompt string
		messages       []message // instead of the prompt
		want           Script
		err            string
	}{
		"defaults": {want: base},
		"header, laid over the defaults": {
			header: `{"tokens":3}`, want: Script{Tokens: 3, TokenDelay: Duration(time.Second)},
		},
		"message": {
			prompt: `say [[mock {"tokenDelay":"0s"}]] this`, want: Script{Tokens: 16},
		},
		"header before message": {
			header: `{"tokens":3}`, prompt: `[[mock {"tokens":4}]]`, want: Script{Tokens: 3, TokenDelay: Duration(time.Second)},
		},
		"brackets inside the object": {
			prompt: `[[mock {"text":"a ]] b"}]]`, want: Script{Tokens: 16, TokenDelay: Duration(time.Second), Text: "a ]] b"},
		},
		"the last message with a script": {
			prompt: "", messages: []message{
				{Role: "user", Content: `[[mock {"tokens":1}]]`},
				{Role: "user", Content: `[[mock {"tokens":2}]]`},
				{Role: "assistant", Content: `[[mock {"tokens":3}]]`},
				{Role: "user", Content: "again"},
			},
			want: Script{Tokens: 2, TokenDelay: Duration(time.Second)},
		},
		"first turn":  {header: `{"tokens":1,"turns":[{"tokens":2},{"text":"x"}]}`, want: Script{Tokens: 2, TokenDelay: Duration(time.Second)}},
		"second turn": {header: `{"tokens":1,"turns":[{"tokens":2},{"text":"x"}]}`, messages: turns(1), want: Script{Tokens: 1, TokenDelay: Duration(time.Second), Text: "x"}},
		"later turns": {header: `{"tokens":1,"turns":[{"tokens":2},{"text":"x"}]}`, messages: turns(7), want: Script{Tokens: 1, TokenDelay: Duration(time.Second), Text: "x"}},
		"turns begin with the message": {
			messages: append(turns(5), message{Role: "user", Content: `[[mock {"turns":[{"tokens":2},{"tokens":3}]}]]`}),
			want:     Script{Tokens: 2, TokenDelay: Duration(time.Second)},
		},
		"of this model": {
			header: `{"tokens":1,"turns":[{}],"models":{"m":{"tokens":2,"turns":[{"tokens":3},{"text":"x"}]},"n":{"tokens":9}}}`, messages: turns(1),
			want: Script{Tokens: 2, TokenDelay: Duration(time.Second), Text: "x"},
		},
		"of another model":   {header: `{"tokens":1,"models":{"n":{"tokens":9}}}`, want: Script{Tokens: 1, TokenDelay: Duration(time.Second)}},
		"turns of turns":     {header: `{"turns":[{"turns":[{}]}]}`, err: "turns[0] must have no turns"},
		"a turn's field":     {header: `{"turns":[{},{"token":1}]}`, err: `turns[1]: read script: json: unknown field "token"`},
		"models of models":   {header: `{"models":{"m":{"models":{}}}}`, err: `models["m"] must have no models`},
		"a model's field":    {header: `{"models":{"x":{"tokens":-1}}}`, err: `models["x"]: script: tokens is -1`},
		"a role":             {header: `{"echoRole":"robot"}`, err: `echoRole is "robot"`},
		"a tool's name":      {header: `{"toolCalls":[{"name":"f"},{}]}`, err: "toolCalls[1].name is required"},
		"no tokens":          {header: `{"tokens":0,"tokenDelay":"0s"}`},
		"unknown field":      {header: `{"token":3}`, err: `unknown field "token"`},
		"not an object":      {header: `[]`, err: "read script"},
		"trailing text":      {header: `{} {}`, err: "more follows"},
		"not closed":         {prompt: `[[mock {} ]`, err: `no "]]"`},
		"not JSON":           {prompt: `[[mock {tokens}]]`, err: "read script in message"},
		"unknown fault":      {header: `{"fault":"Explode"}`, err: `fault is "Explode", must be one of`},
		"status":             {header: `{"status":302}`, err: "status is 302"},
		"negative":           {header: `{"tokens":-1}`, err: "tokens is -1, must be from 0 to 1000000"},
		"too many":           {header: `{"giantBytes":67108865}`, err: "giantBytes is 67108865"},
		"delay not a number": {header: `{"tokenDelay":"soon"}`, err: "invalid duration"},
		"delay too long":     {header: `{"firstTokenDelay":"61m"}`, err: "firstTokenDelay is"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			messages := tt.messages
			if messages == nil {
				messages = []message{{Role: "user", Content: content(tt.prompt)}}
			}
			got, err := chooseScript(base, http.Header{ScriptHeader: {tt.header}}, messages, "m")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("error %v, script (-want +got):\n%s", err, diff)
			}
		})
	}
}

// turns is a conversation in which the assistant has spoken n times.
func turns(n int) []message {
	messages := []message{{Role: "user", Content: "hi"}}
	for range n {
		messages = append(messages, message{Role: "assistant", Content: "x"}, message{Role: "user", Content: "and"})
	}
	return messages
}

// TestScriptsShareNoMemory: a request's script must not change the defaults, which all requests read.
func TestScriptsShareNoMemory(t *testing.T) {
	base := Script{
		JSON: json.RawMessage(`{"a":1}`), ToolCalls: []ToolCall{{Name: "f", Arguments: json.RawMessage(`{}`)}},
		Turns: []json.RawMessage{json.RawMessage(`{}`)}, Models: map[string]json.RawMessage{"m": json.RawMessage(`{}`)},
	}
	before, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := overlay(base, `{"json":[2],"toolCalls":[{"name":"g","arguments":[]}],"turns":[{"tokens":1}],"models":{"m":{"tokens":1},"n":{}}}`)
		if err != nil {
			t.Fatal(err)
		}
	}
	if after, err := json.Marshal(base); err != nil || string(after) != string(before) {
		t.Errorf("%v\nbefore %s\nafter  %s", err, before, after)
	}
}

func TestBadRequests(t *testing.T) {
	mock, url, client := start(t, Options{Models: []string{"m"}})
	tests := map[string]struct {
		body, script string
		status       int
	}{
		"not JSON":      {`{`, "", 400},
		"no model":      {`{"messages":[{"role":"user","content":"x"}]}`, "", 400},
		"no messages":   {`{"model":"m"}`, "", 400},
		"content":       {`{"model":"m","messages":[{"role":"user","content":7}]}`, "", 400},
		"unknown model": {`{"model":"x","messages":[{"role":"user","content":"x"}]}`, "", 404},
		"bad script":    {whole, `{"fault":"?"}`, 400},
		"no room":       {`{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}`, "", 400},
	}
	for name, tt := range tests {
		got := get(t, client, url, tt.body, tt.script)
		var e errorObject
		err := json.Unmarshal([]byte(got.body), &e)
		if err != nil || got.status != tt.status || e.Error.Message == "" || e.Error.Code == "" {
			t.Errorf("%s: %d %s (%v), want %d with an error object", name, got.status, got.body, err, tt.status)
		}
	}
	if s := mock.Stats(); s.Rejected != len(tests) || s.Opened != 0 {
		t.Errorf("figures %+v, want %d rejected", s, len(tests))
	}
}

func TestInvalidDefaultsPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New took an unknown fault")
		}
	}()
	New(Options{Defaults: Script{Fault: "?"}})
}

// TestREADME keeps the documentation of the script true: its example is one,
// and every field and fault has its line.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(text)
	if example == nil {
		t.Fatal("README.md has no example")
	}
	got, err := overlay(Script{}, string(example[1]))
	want := Script{
		Tokens: 64, FirstTokenDelay: Duration(200 * time.Millisecond), TokenDelay: Duration(20 * time.Millisecond),
		Fault: FaultTruncate, AfterTokens: 10,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("the example: error %v, script (-want +got):\n%s", err, diff)
	}
	lines := documented(string(text))
	for name := range jsonNames(reflect.TypeFor[Script]()) {
		if !lines[name] {
			t.Errorf("README.md has no line for the field %s", name)
		}
	}
	for name := range jsonNames(reflect.TypeFor[Stats]()) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("README.md does not speak of the figure %s", name)
		}
	}
	for _, fault := range faults[1:] {
		if !lines[string(fault)] {
			t.Errorf("README.md has no line for the fault %s", fault)
		}
	}
}

// documented returns the names that open a table's rows.
func documented(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)`").FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return names
}

func jsonNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}
