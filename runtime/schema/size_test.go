package schema

import (
	"runtime"
	"strings"
	"testing"
)

// What is reserved for a body is at least what it takes decoded and checked.
func TestDecodedBytesBoundWhatIsDecoded(t *testing.T) {
	const n = 20_000
	list := func(item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n/(1+strings.Count(item, ","))), ",") + "]"
	}
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`,"` + strings.Repeat("k", 1+i%5) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + `":1.5`)
		}
		return "{" + b.String()[1:] + "}"
	}
	for name, text := range map[string]string{
		"empty objects":           list("{}"),
		"empty lists":             list("[]"),
		"nested lists":            list("[[1]]"),
		"small objects":           list(`{"a":1.5}`),
		"objects of nine":         list(`{"a":1.5,"b":1.5,"c":1.5,"d":1.5,"e":1.5,"f":1.5,"g":1.5,"h":1.5,"i":1.5}`),
		"nested objects":          list(`{"a":{"b":{}}}`),
		"a large object":          members(9_000),
		"numbers":                 list("1.5"),
		"short numbers":           list("1"),
		"large numbers":           list("12345678901234567890"),
		"nulls":                   list("null"),
		"short strings":           list(`"ab"`),
		"escaped quotes":          list(`"\"\\"`),
		"a long string":           `"` + strings.Repeat("x", 1<<20) + `"`,
		"a long string of quotes": `"` + strings.Repeat(`\"`, 1<<19) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(text)
			before := live()
			value, wrong, _ := Decode(t.Context(), body)
			took := live() - before
			runtime.KeepAlive(value)
			if len(wrong) > 0 {
				t.Fatalf("%+v", wrong[0])
			}
			if bound := DecodedBytes(body); int64(bound) < took {
				t.Errorf("%d bytes take %d decoded, more than the bound of %d", len(body), took, bound)
			}
		})
	}
}

func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestDecodedBytesOfAnyText(t *testing.T) {
	for _, text := range []string{"", `"`, `"\`, `"\"`, "{", "[", `{"`, "\x00"} {
		if got := DecodedBytes([]byte(text)); got < len(text) {
			t.Errorf("%q: %d", text, got)
		}
	}
	if few, many := DecodedBytes([]byte(strings.Repeat(",", MaxBodyNodes+1))), DecodedBytes([]byte(strings.Repeat(",", 2*MaxBodyNodes))); many-few > 2*MaxBodyNodes {
		t.Errorf("what is not decoded counts: %d and %d", few, many)
	}
}
