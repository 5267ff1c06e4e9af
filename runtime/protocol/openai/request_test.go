package openai

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/problem"
)

func TestParseChatRequest(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"hi"}]`
	tests := []struct {
		name, body string
		model      string
		stream     bool
		code       problem.Code
		param      string
	}{
		{name: "whole", body: `{"model":"m",` + messages + `}`, model: "m"},
		{name: "streamed", body: ` {"stream" : true, "model" : "m", ` + messages + `} `, model: "m", stream: true},
		{name: "stream null", body: `{"stream":null,"model":"m",` + messages + `}`, model: "m"},
		{name: "escapes in the name", body: `{"model":"a\"\u00e9",` + messages + `}`, model: `a"é`},
		{name: "no model", body: `{` + messages + `}`, code: problem.InvalidRequest, param: "model"},
		{name: "model of another type", body: `{"model":1,` + messages + `}`, code: problem.InvalidRequest, param: "model"},
		{name: "empty model", body: `{"model":"",` + messages + `}`, code: problem.InvalidRequest, param: "model"},
		{name: "stream of another type", body: `{"model":"m","stream":"yes",` + messages + `}`, code: problem.InvalidRequest, param: "stream"},
		{name: "stream in Go's words", body: `{"model":"m","stream":1,` + messages + `}`, code: problem.InvalidRequest, param: "stream"},
		{name: "no messages", body: `{"model":"m"}`, code: problem.InvalidRequest, param: "messages"},
		{name: "messages of another type", body: `{"model":"m","messages":{}}`, code: problem.InvalidRequest, param: "messages"},
		{name: "empty", body: ``, code: problem.MalformedJSON},
		{name: "no object", body: `[]`, code: problem.MalformedJSON},
		{name: "cut off", body: `{"model":"m"`, code: problem.MalformedJSON},
		{name: "something behind", body: `{"model":"m",` + messages + `}{}`, code: problem.MalformedJSON},
		{name: "garbage behind", body: `{"model":"m",` + messages + "}\x00garbage", code: problem.MalformedJSON},
		{name: "text behind", body: `{"model":"m",` + messages + `}garbage`, code: problem.MalformedJSON},
		{name: "a brace behind", body: `{"model":"m",` + messages + `}}`, code: problem.MalformedJSON},
		{name: "a comma behind", body: `{"model":"m",` + messages + `},`, code: problem.MalformedJSON},
		{name: "a byte that is not UTF-8 behind", body: `{"model":"m",` + messages + "}\xff", code: problem.MalformedJSON},
		{name: "a byte order mark behind", body: `{"model":"m",` + messages + "}\ufeff", code: problem.MalformedJSON},
		{name: "white space behind", body: `{"model":"m",` + messages + "} \t\r\n", model: "m"},
		{name: "an escaped name", body: `{"mo\u0064el":"m","stre\u0061m":true,` + messages + `}`, model: "m", stream: true},
		{name: "another case", body: `{"model":"m","Model":"n",` + messages + `}`, code: problem.InvalidRequest, param: "Model"},
		{name: "another case alone", body: `{"MODEL":"n",` + messages + `}`, code: problem.InvalidRequest, param: "MODEL"},
		{name: "another case, escaped", body: `{"model":"m","\u004dodel":"n",` + messages + `}`, code: problem.InvalidRequest, param: "Model"},
		{name: "a long s", body: `{"model":"m","\u017ftream":true,` + messages + `}`, code: problem.InvalidRequest, param: "ſtream"},
		{name: "a dotless i", body: `{"model":"m","stream_opt\u0131ons":{},` + messages + `}`, code: problem.InvalidRequest, param: "stream_optıons"},
		{name: "camel case", body: `{"model":"m","streamOptions":{},` + messages + `}`, code: problem.InvalidRequest, param: "streamOptions"},
		{name: "messages of another case", body: `{"model":"m","meSSages":[],` + messages + `}`, code: problem.InvalidRequest, param: "meSSages"},
		{name: "many dashes", body: `{"model":"m","` + strings.Repeat("-", 80) + `model":"n",` + messages + `}`, code: problem.InvalidRequest, param: "model"},
		{name: "another member of any case", body: `{"model":"m","Seed":1,"stream_options":{},` + messages + `}`, model: "m"},
		{name: "a member twice", body: `{"model":"m","model":"n",` + messages + `}`, code: problem.MalformedJSON},
		{name: "a member twice, once escaped", body: `{"model":"m","mo\u0064el":"n",` + messages + `}`, code: problem.MalformedJSON},
		{name: "twice, deep down", body: `{"model":"m","x":{"a":1,"a":2},` + messages + `}`, code: problem.MalformedJSON},
		{
			name: "too deep", code: problem.MalformedJSON,
			body: `{"model":"m","x":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `,` + messages + `}`,
		},
		{name: "brackets in a string are no depth", body: `{"model":"m","x":"` + strings.Repeat("[", 80) + `",` + messages + `}`, model: "m"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := parseChatRequest([]byte(tt.body))
			if tt.code != "" {
				if err == nil || err.Code != tt.code || err.Param != tt.param {
					t.Fatalf("error %+v, want %s for %q", err, tt.code, tt.param)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Model != tt.model || r.Stream != tt.stream {
				t.Errorf("model %q stream %v, want %q %v", r.Model, r.Stream, tt.model, tt.stream)
			}
		})
	}
}

func TestWithModelChangesNothingElse(t *testing.T) {
	const body = `{ "temperature":0.10, "model" : "alias" ,"messages":[ {"role":"user","content":"\u00e9"} ]}`
	r, err := parseChatRequest([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(body, `"alias"`, `"real\"name"`, 1)
	for range 2 { // a retry needs the same request again
		if got := string(r.WithModel(`real"name`).Joined()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func FuzzParseChatRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[],"stream":true}`))
	f.Add([]byte(`{"model":"m","x":[[[{"a":"\\\""}]]],"messages":[1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseChatRequest(body)
		if err != nil {
			return
		}
		again, err := parseChatRequest(r.WithModel("other").Joined())
		if err != nil || again.Model != "other" || again.Stream != r.Stream {
			t.Errorf("after the change of the model: %+v, %v", again, err)
		}
	})
}
