package rawjson

import (
	"strings"
	"testing"
)

// What is read in turns is read as everything else is: where values begin and end, and what is wrong with them.
func TestMuchIsReadAsLittleIs(t *testing.T) {
	blanks := strings.Repeat(" ", much)
	for _, value := range []string{
		`{}`, `[]`, `[1,{"a":[]},"]"]`, `{"a":"}","b":{"c":[[]]}}`, `"text"`, `1.5`, `true`, `null`, `[1,]`, `{"a"}`, `[`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `[[1,2],{"a":"]"},"]",[]]`, `[{"a":1,"a":2}]`, `[[1,]]`, `["\\",["\""]]`, strings.Repeat("[", 700) + strings.Repeat("]", 700), strings.Repeat(`{"a":[`, 100) + strings.Repeat("]}", 100),
		"[\"\xff\"]",
	} {
		for _, visit := range []func([]byte, func([]byte, Span)) error{Members, MembersSaid} {
			read := func(doc string) (got []string, wrong bool) {
				err := visit([]byte(doc), func(name []byte, at Span) { got = append(got, string(name)+"="+string(at.Of([]byte(doc)))) })
				return got, err != nil
			}
			little, wrong := read(`{ "x" : ` + value + ` , "y": ` + value + `}`)
			a, wrongA := read(`{ "x" : ` + value + ` , "y": ` + value + blanks + `}`)
			if strings.Join(little, ";") != strings.Join(a, ";") || wrong != wrongA {
				t.Errorf("%s: %q %t beside much, %q %t beside little", value, a, wrongA, little, wrong)
			}
		}
	}
}
