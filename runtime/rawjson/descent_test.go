package rawjson

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is gone into, taken or left, the reading goes on behind it, and each value is where it stands.
func TestDescent(t *testing.T) {
	doc := []byte(` { "left":{"x":[1]}, "into" : {"a": 1 ,"left":[],"list":[ 2,{"b":"]"},[3]]}, "other":"text","\u0061":null } `)
	var got []string
	note := func(name string, at Span) { got = append(got, name+"="+string(at.Of(doc))) }
	err := Descend(doc, func(d *Descent) {
		d.Members(func(name []byte) {
			switch string(name) {
			case "into":
				note("into", d.Members(func(name []byte) {
					switch string(name) {
					case "a":
						note("a", d.Value())
					case "list":
						note("list", d.Elements(func(i int) {
							if d.Kind() == '{' {
								note(fmt.Sprint(i), d.Members(func([]byte) {}))
							}
						}))
					}
				}))
			case "other": // neither an object nor a list
				note("other", d.Members(func([]byte) { t.Error("a text has members") }))
			case "a":
				note("null", d.Elements(func(int) { t.Error("null has elements") }))
			}
		})
	})
	want := []string{"a=1", `1={"b":"]"}`, `list=[ 2,{"b":"]"},[3]]`, `into={"a": 1 ,"left":[],"list":[ 2,{"b":"]"},[3]]}`, `other="text"`, "null=null"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// However deep the fault is, the reading ends there, with an error.
func TestDescentEndsAtAFault(t *testing.T) {
	for _, doc := range []string{`{"a":[{"b":x}]}`, `{"a":[{"b":1`, `{"a":[{"b":1}`, `{"a":[{"b":1}]`, `{"a":[{"b":1}]}}`, `{"a":[{"b"}]}`, `{"a":[,]}`, ``, `[`, `[]`, `1`} {
		var later bool
		err := Descend([]byte(doc), func(d *Descent) {
			d.Members(func([]byte) {
				d.Elements(func(int) { d.Members(func([]byte) { later = d.Value().Found() }).Of([]byte(doc)) }).Of([]byte(doc))
			}).Of([]byte(doc)) // nothing, if it did not end
		})
		if err == nil {
			t.Errorf("%s: read", doc)
		}
		if doc == `{"a":[{"b":x}]}` && later {
			t.Errorf("%s: a value was found", doc)
		}
	}
}
