package rawjson

import "testing"

func TestRenamed(t *testing.T) {
	edit := func(name string) string {
		switch name {
		case "old":
			return "new"
		case "off":
			return ""
		}
		return name
	}
	for doc, want := range map[string]string{
		`{}`:                                `{}`,
		` { "a" : 1.0 , "b":{"off":1} } `:   ` { "a" : 1.0 , "b":{"off":1} } `,
		`{"off":1}`:                         `{}`,
		` { "off":1 , "a" : [ 2 ] }`:        ` { "a" : [ 2 ] }`,
		`{"a":1, "off" : {"x":1} , "b" :2}`: `{"a":1 , "b" :2}`,
		`{"a":1,"off":2}`:                   `{"a":1}`,
		`{"off":1,"off":2,"old" : 3,"c":4}`: `{"new":3,"c":4}`,
		`{"a":1, "old":2e0}`:                `{"a":1, "new":2e0}`,
		`{"o\u006cd":1}`:                    `{"new":1}`,
		`{"\u0061":"é\u00e9","off":null}`:   `{"\u0061":"é\u00e9"}`,
	} {
		if got, err := Renamed([]byte(doc), edit); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", doc, got, err, want)
		}
	}
	if _, err := Renamed([]byte(`{"old":1`), edit); err == nil {
		t.Error("half an object is edited")
	}
}

// A member is added where the object ends, and no other byte changes, also next to others of its kind.
func TestAddedMembers(t *testing.T) {
	for doc, want := range map[string]string{
		`{}`:                  `{"n":1}`,
		" {\t}\n":             " {\t\"n\":1}\n",
		`{"a":{}}`:            `{"a":{},"n":1}`,
		`{ "a" : "}" } `:      `{ "a" : "}" ,"n":1} `,
		`{"a":[{"b":null}]} `: `{"a":[{"b":null}],"n":1} `,
	} {
		if got := WithMember([]byte(doc), "n", []byte("1")); string(got) != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
		within := `{"o":` + doc + `,"p":{"q":{}}}`
		object := Span{Start: len(`{"o":`), End: len(`{"o":`) + len(doc)}
		if got := Edited([]byte(within), Added([]byte(within), object, "n", []byte("1"))); string(got) != `{"o":`+want+`,"p":{"q":{}}}` {
			t.Errorf("%s: %s", within, got)
		}
	}
}
