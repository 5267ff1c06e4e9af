package schema

import "testing"

// TestExamplesOfParameters: each is a text that can stand in the parameter's place, and that is read as a value that the schema takes.
func TestExamplesOfParameters(t *testing.T) {
	for _, tt := range []struct {
		at           ParameterPlace
		schema, want string
	}{
		{Query, `{"type":"integer","minimum":3}`, `3`},
		{Query, `{"type":"boolean"}`, `true`},
		{Query, `{"type":"string","default":"a"}`, `"a"`},
		{Query, `{"type":"string","default":""}`, `"Example"`},
		{Query, `{"anyOf":[{"type":"string"},{"type":"null"}],"default":null}`, `"Example"`},
		{Query, `{"type":"array","items":{"type":"integer"},"default":[]}`, `[1]`},
		{Query, `{"type":"array","items":{"type":"string"},"minItems":2,"uniqueItems":true}`, `["Example","Example 2"]`},
		{Query, `{"type":"array","maxItems":0}`, ``},
		{Query, `{"type":["integer","string"],"examples":[7]}`, `7`}, // which is read as a text
		{Query, `{"not":{"type":"string"}}`, ``},                     // as which each text is read
		{Path, `{"enum":["..",".","","a/b"]}`, `"a/b"`},
		{Path, `{"enum":["..","."]}`, ``},
		{Header, `{"type":"string","examples":[" a","a\nb","é","a b"]}`, `"a b"`},
		{Cookie, `{"type":"string","examples":["a b","a;b","a=b"]}`, `"a=b"`},
		{Cookie, `{"type":"string","minLength":9}`, ``}, // made texts of that length have spaces
		{Cookie, `{"type":"string","pattern":"^[a-z]+$","minLength":4}`, `"abcd"`},
	} {
		p, err := CompileParameter([]byte(tt.schema), tt.at, "p", true)
		if err != nil {
			t.Fatalf("%s: %v", tt.schema, err)
		}
		if got, ok := p.Example(); string(got) != tt.want || ok != (tt.want != "") {
			t.Errorf("%s %s: %s, %v, want %s", tt.at, tt.schema, got, ok, tt.want)
		}
	}
}

// TestExamplesOfForms: each field is a text that a form can have, and what would be empty is left out.
func TestExamplesOfForms(t *testing.T) {
	files, sizes := map[string]bool{"photo": false, "pages": true}, map[string]int{"photo": 4}
	for schema, want := range map[string]string{
		`{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"t":{"type":"string"}}}`:                       `{"n":1,"t":"Example t"}`,
		`{"type":"object","properties":{"n":{"anyOf":[{"type":"number"},{"type":"null"}],"default":null},"t":{"default":""}}}`: `{}`,
		`{"type":"object","properties":{"l":{"type":"array","items":{"type":"integer"},"default":[]},"b":{"type":"boolean"}}}`: `{"b":true}`,
		`{"type":"object","required":["t"],"properties":{"t":{"type":"string","maxLength":0}}}`:                                ``,
		`{"type":"object","required":["photo"],"properties":{"photo":{"type":"string"}}}`:                                      `{"photo":"Exam"}`,
		`{"type":"object","properties":{"pages":{"type":"array","items":{"type":"string"},"minItems":2}}}`:                     `{"pages":["Example pages","Example pages"]}`,
	} {
		f, err := CompileForm([]byte(schema), files)
		if err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		if got, ok := f.Example(sizes); string(got) != want || ok != (want != "") {
			t.Errorf("%s: %s, %v, want %s", schema, got, ok, want)
		}
	}
}
