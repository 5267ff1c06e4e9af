package rawjson

import (
	"runtime"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/test/yields"
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

// A document of many values, or of a few that are long, is read in turns with others, also if it is wrong in the end.
func TestMuchIsReadInTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const size = 512 << 10
	for _, piece := range []string{"a", `\n`, "é", `\u00e9`, "a\\n北京"} {
		text := strings.Repeat(piece, size/len(piece))
		for _, doc := range []string{`{"a":"` + text + `"}`, `{"` + text + `":1}`, `{"a":["` + text + `"]}`} {
			if got := yields.During(func() { _ = Members([]byte(doc), func([]byte, Span) {}) }); got < size/much/2 {
				t.Errorf("%.20s: another goroutine had %d turns", doc, got)
			}
		}
	}
	for _, piece := range []string{`[],`, `1,`, `"",`, `{"a":{"b":[]}},`, strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + ","} {
		values := strings.Repeat(piece, size/len(piece))
		right, wrong := []byte(`{"a":[`+values+`0]}`), []byte(`{"a":[`+values+`]}`)
		for what, do := range map[string]func(){
			"right":         func() { _ = Members(right, func([]byte, Span) {}) },
			"wrong":         func() { _ = Members(wrong, func([]byte, Span) {}) },
			"what is wrong": func() { _ = fault(wrong, false) },
		} {
			if got := yields.During(do); got < size/16/turnEvery {
				t.Errorf("%.20s, %s: another goroutine had %d turns", values, what, got)
			}
		}
	}
}
