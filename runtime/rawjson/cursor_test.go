package rawjson

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// odd are documents of which readers of JSON have disagreed, and what stands in them.
func odd() []string {
	docs := []string{
		``, ` `, "\ufeff{}", `{`, `}`, `[`, `]`, `{}`, `[]`, ` { } `, "\t\r\n[\t\r\n]\t\r\n", "\v{}", "\f[]", "{\u00a0}", "{}\x00", "\x00{}", `{}{}`, `[][]`, `{},`, `,{}`, `:{}`, `{}]`, `[}`,
		`{]`, `{"a":1]`, `[1}`, `{"a"}`, `{"a":}`, `{"a":]`, `{"a",1}`, `{"a":1,}`, `{,"a":1}`, `{"a":1,,"b":2}`, `{"a"::1}`, `{"a" 1}`, `{"a":1 "b":2}`, `{"a":1:"b":2}`, `{1:2}`, `{null:1}`,
		`{[]:1}`, `{a:1}`, `{'a':1}`, `[1,]`, `[,1]`, `[1,,2]`, `[1 2]`, `[1:2]`, `[:1]`, `[[],[{}],{"a":[]}]`, `{"a":{"b":{"c":[[[{}]]]}}}`, `/**/{}`, `{}//`, `{"a":1,"a":2}`,
		`{"a":1,"\u0061":2}`, `{"\u0061":1,"a":2}`, `{"a\/b":1,"a/b":2}`, `{"\ud83d\ude00":1,"😀":2}`, `{"é":1,"\u00e9":2,"e\u0301":3}`, `{"a":{"b":1,"b":2}}`, `[{"b":1,"b":2}]`, `{"a":1,"b":{"a":1},"c":[{"a":1}]}`,
		`{"":1,"":2}`, `{"\n":1,"\u000a":2}`, `{"\u0000":1,"\u0000":2}`, `{"\ufffd":1,"�":2}`, `{"a":{},"a":{}}`, "{\"\xff\":1,\"\xfe\":2}", "{\"\xff\":1,\"\\ufffd\":2}",
	}
	for _, value := range []string{
		`0`, `-0`, `-`, `+1`, `01`, `-01`, `00`, `1.`, `.5`, `1.5`, `1.e5`, `1e`, `1e+`, `1e-`, `1e5`, `1E+05`, `1e-5`, `-1.5e-5`, `1e5.5`, `1..5`, `1.5.5`, `0x1`, `1_000`, `Infinity`, `-Infinity`, `NaN`, `1e999`,
		`12345678901234567890`, `0e0`, `0.0`, `--1`, `1-1`, `- 1`, `true`, `false`, `null`, `tru`, `truee`, `True`, `nul`, `nulll`, `fals`, `f`, `n`, `t`, `undefined`, `""`, `"a"`, `"`, `"a`, `"\"`, `"\\"`, `"\`, `"\/\b\f\n\r\t\""`,
		`"\a"`, `"\v"`, `"\'"`, `"\0"`, `"\x41"`, `"\U0041"`, `"\u"`, `"\u00"`, `"\u004`, `"\u0041"`, `"\u00E9\u00e9"`, `"\u00g0"`, `"\u 041"`, `"\u-041"`, `"\uD83D\uDE00"`, `"\ud83d"`, `"\ude00"`, `"\ud83d\ud83d"`,
		`"\ude00\ud83d"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\u0041"`, `"\ud83d\ude0"`, `"\ud83d\`, `"\ud83d\u`, `"\ud83d\ud`, `"\ud83d\ude`, `"\ud83d\ude00`, `"\ud83d\x"`, `"\udbff\udfff\ud800\udc00"`, `"\ufffd\uFFFE\uffff"`, "\"\x00\"",
		"\"\x1f\"", "\"\x20\x7f\"", "\"\t\"", "\"\n\"", "\"é\u4eac😀\U0010ffff\"", "\"\x80\"", "\"\xc0\x80\"", "\"\xc3\"", "\"\xe4\xba\"", "\"\xe4\xba", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf0\x9f\x98\"", "\"\xff\xfe\"", "\"\xef\xbf\xbd\"",
		"\"seven b\x1f\"", "\"seven b\xff\"", `"seven b\n"`, `"seven b\x"`, `"eight by"`, "\"eight by\x1f\"", "\"eight by!#[]~\x7f\"", "\"ABCDEFG\x1f\x80\"", `"a longer text, with an end"`, "\"a longer text, with \x01 in it\"",
	} {
		docs = append(docs, value, `{"a":`+value+`}`, `{"a":`+value, `{"a":[`+value+`,`+value+`],"b": `+value+` }`, `[`+value+`]`, `[`+value, `{`+value+`:1}`, `{"a":1,`+value+`:{`+value+` :1}}`)
	}
	return docs
}

// manyNames is an object of so many members, and more after them.
func manyNames(n int, more string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":{"%d":0},`, i, i)
	}
	return `{` + b.String() + more + `}`
}

// oddAndLong are those of which the fuzzer would make nothing that is new.
func oddAndLong() []string {
	docs := []string{manyNames(2000, `"x":1`), manyNames(2000, `"1999":1`), manyNames(17, `"\u0030":1`), manyNames(16, `"15":1`), manyNames(15, `"0":1`), manyNames(64, `"\u0036\u0033":1`)}
	for _, n := range []int{0, 1, 2, 3} { // before the place at which a turn is due
		for _, text := range []string{"é", "京", "😀", "\xff", "\x80\x80\x80\x80", "京\x80", "\xe4\xba", "\xf0\x9f\x98", `\n`, `\ud83d\ude00`, `\ud83d`, `"`, "\x1f", "\\"} {
			docs = append(docs, `{"`+strings.Repeat("a", much-n-2)+text+`":0}`, `["`+strings.Repeat("a", n)+strings.Repeat(text, much/len(text))+`"]`)
		}
	}
	return docs
}

// deep are documents that nest as deep as may be, and deeper.
func deep() []string {
	var docs []string
	for _, n := range []int{maxDepth, maxDepth - 1} {
		docs = append(docs, strings.Repeat(`{"a":`, n)+`1`+strings.Repeat(`}`, n), strings.Repeat(`{"":`, n)+`{"b":1,"b":1}`+strings.Repeat(`}`, n),
			strings.Repeat(`[`, n)+strings.Repeat(`]`, n), `{"a":`+strings.Repeat(`[`, n)+strings.Repeat(`]`, n)+`}`, strings.Repeat(`[`, n), strings.Repeat(`[`, n+2))
	}
	return docs
}

// visited goes through a document as a plan says that begins anew when it ends: what is taken, gone into, or left.
func visited(d reading, plan []byte) (got []string) {
	step := 0
	var visit func()
	note := func(what string, at Span) { got = append(got, fmt.Sprint(what, at)) }
	visit = func() {
		how := byte(0)
		if len(plan) > 0 {
			how = plan[step%len(plan)]
		}
		switch step++; how % 8 {
		case 1:
			note("value", d.Value())
		case 2: // left
		case 3:
			note("no members", d.Members(func([]byte) { visit() }))
		case 4:
			note("no elements", d.Elements(func(int) { visit() }))
		default:
			switch kind := d.Kind(); kind {
			case '{':
				note("object", d.Members(func(name []byte) { note(fmt.Sprintf("name %q", name), Span{}); visit() }))
			case '[':
				note("array", d.Elements(func(i int) { note(fmt.Sprint("element ", i), Span{}); visit() }))
			default:
				note(kind.String(), d.Value())
			}
		}
		if how&8 != 0 {
			note(d.Kind().String(), Span{})
		}
	}
	visit()
	return got
}

// agree compares a document's reading with that of the library: what is found, in which order, and the words of the error.
func agree(t *testing.T, doc, plan []byte) {
	t.Helper()
	for _, r := range []rules{{kind: '{'}, {kind: '['}, {kind: '{', said: true}, {kind: '[', said: true}} {
		var got, want []string
		err := scan(doc, r, func(d *Descent) { got = visited(d, plan) })
		wantErr := scanByLibrary(doc, r, func(d reading) { want = visited(d, plan) })
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%.200q, %q, %+v: %v, want %v", doc, plan, r, err, wantErr)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.200q, %q, %+v (-want +got):\n%.2000s", doc, plan, r, cmp.Diff(want, got))
		}
	}
}

// plans are to go through all, to take all, and to do each in turns.
var plans = []string{"", "\x01", "\x00\x01", "\x00\x02", "\x00\x03\x04", "\x08\x00\x09\x0a\x0b\x0c"}

// FuzzDescentAgreesWithTheLibrary: a document is read as jsontext reads it, whatever it is.
func FuzzDescentAgreesWithTheLibrary(f *testing.F) {
	for _, doc := range append(odd(), manyNames(17, `"\u0030":1`), manyNames(40, `"x":1`), string(chat(4<<10))) {
		f.Add([]byte(doc), []byte(plans[len(doc)%len(plans)]))
	}
	f.Fuzz(func(t *testing.T, doc, plan []byte) {
		agree(t, doc, plan)
		if len(plan) > 0 {
			agree(t, doc, nil)
		}
	})
}

func TestOddDocumentsAreReadAsTheLibraryReadsThem(t *testing.T) {
	for _, doc := range odd() {
		for _, plan := range plans {
			agree(t, []byte(doc), []byte(plan))
		}
	}
	for _, doc := range oddAndLong() {
		agree(t, []byte(doc), nil)
	}
	for i, doc := range deep() {
		agree(t, []byte(doc), []byte("\x00\x00\x01"))
		if i < 2 {
			agree(t, []byte(doc), nil)
		}
	}
}
