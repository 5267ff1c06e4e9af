package schema

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestSyntaxError: what Python 3.11's json.loads says of these texts.
func TestSyntaxError(t *testing.T) {
	tests := map[string]struct {
		position int
		reason   string
	}{
		`{"name"`:                {7, wantColon},
		`{"name":`:               {8, wantValue},
		`{"name":1`:              {9, wantComma},
		`{"name":1,`:             {10, wantName},
		`{name:1}`:               {1, wantName},
		`{"name" 1}`:             {8, wantColon},
		`{"name":1 "x":2}`:       {10, wantComma},
		`{"name":[1}`:            {10, wantComma},
		`[,1]`:                   {1, wantValue},
		`[1,]`:                   {3, wantValue},
		`[`:                      {1, wantValue},
		`[1 2]`:                  {3, wantComma},
		`{}{}`:                   {2, extraData},
		`{"name":"a"} x`:         {13, extraData},
		`{"nam`:                  {1, endlessString},
		`{"name":"abc`:           {8, endlessString},
		`"\`:                     {0, endlessString},
		`{"name":"\x"}`:          {9, badEscape},
		`{"name":"\u12g4"}`:      {10, badHex},
		`"\u00e9`:                {2, badHex},
		"{\"name\":\"a\tb\"}":    {10, badControl},
		"{\n  \"a\": 1,\n oops}": {13, wantName},
		`{"été 😀" 1}`:            {9, wantColon},
		`[01]`:                   {2, wantComma},
		`[+1]`:                   {1, wantValue},
		`[1.]`:                   {2, wantComma},
		`[-]`:                    {1, wantValue},
		`[1e]`:                   {2, wantComma},
		`[tru]`:                  {1, wantValue},
		`True`:                   {0, wantValue},
		`/* c */ {}`:             {0, wantValue},
		` `:                      {1, wantValue},
		``:                       {0, wantValue},
	}
	for text, want := range tests {
		if position, reason := syntaxError([]byte(text)); position != want.position || reason != want.reason {
			t.Errorf("%s: %q at %d, want %q at %d", text, reason, position, want.reason, want.position)
		}
	}
}

// FuzzSyntaxError: a mistake is found in all texts that are no JSON, and in no other.
func FuzzSyntaxError(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+3,true,null],"é":"\u00e9\n"}`, `[[],{}]`, `{"a":1,}`, `"\ud800"`, ` 01`, `"` + "\x01", "[\"\xff\"]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "[")+strings.Count(text, "{") > MaxBodyDepth {
			t.Skip("too deep for decode to come this far")
		}
		position, reason := syntaxError([]byte(text))
		if (reason == "") != json.Valid([]byte(text)) {
			t.Errorf("%q: %q at %d", text, reason, position)
		}
		if position < 0 || position > len(text) {
			t.Errorf("%q: at %d", text, position)
		}
	})
}
