package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeLenient(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want any
	}{
		"a member twice":       {`{"x":1,"y":0,"x":2}`, map[string]any{"x": int64(2), "y": int64(0)}},
		"twice, deeper":        {`[{"a":{"x":1,"\u0078":[2]}}]`, []any{map[string]any{"a": map[string]any{"x": []any{int64(2)}}}}},
		"half of a pair":       {`["a \ud83c","\udf75 b","\ud83c\udf75"]`, []any{"a \uFFFD", "\uFFFD b", "🍵"}},
		"half of a pair, name": {`{"\ud83c":1}`, map[string]any{"\uFFFD": int64(1)}},
		"invalid UTF-8":        {"[\"a\xff\"]", []any{"a\uFFFD"}},
		"a byte order mark":    {"\xEF\xBB\xBF{\"a\":1}", map[string]any{"a": int64(1)}},
		"many digits":          {`[0.` + strings.Repeat("1", 200) + `,1` + strings.Repeat("0", 200) + `]`, []any{1.0 / 9, 1e200}},
		"too small a number":   {`[1e-999]`, []any{0.0}},
		"exact":                {`[9007199254740993,1.5,-0]`, []any{int64(9007199254740993), 1.5, int64(0)}},
		"scalars":              {" [null, true, \"\"] \n", []any{nil, true, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeLenient(t.Context(), []byte(tt.text))
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

func TestDecodeLenientSaysWhatItCannotRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "the JSON text is empty",
		"\xEF\xBB\xBF \n":                 "the JSON text is empty",
		`{"secret":1e999}`:                "Number out of range at byte 15",
		`{"secret":NaN}`:                  "Invalid syntax at byte 10",
		`{"secret"`:                       "Unexpected end of JSON at byte 9",
		`{} secret`:                       "Extra data at byte 2",
		"\xEF\xBB\xBF{secret":             "Invalid syntax at byte 4",
		strings.Repeat("[", 65):           "More than 64 levels deep at byte 65",
		"[\"secret\n\"]":                  "Invalid syntax at byte 8",
		strings.Repeat(" ", 16<<20) + "1": "More than 16777216 bytes",
	} {
		value, err := DecodeLenient(t.Context(), []byte(text))
		if err == nil || err.Error() != want || value != nil {
			t.Errorf("%.40q: %v, %v; want %s", text, value, err, want)
		}
	}
}

// TestALenientDecoderIsStrictAgain: decoders are kept, and their next text may be a client's.
func TestALenientDecoderIsStrictAgain(t *testing.T) {
	for range 100 {
		if _, err := DecodeLenient(t.Context(), []byte(`{"x":1,"x":1e-999}`)); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{`{"x":1,"x":2}`, `"\ud83c"`, `1e-999`} {
			if _, violations, _ := Decode(t.Context(), []byte(text)); len(violations) == 0 {
				t.Fatalf("%s was taken", text)
			}
		}
	}
}
