package schema

import (
	"strings"
	"testing"
)

// A name is what it was, whether it was kept or not, and whatever took its place.
func TestNamesAreKept(t *testing.T) {
	var kept keptNames
	long := strings.Repeat("n", longestKept)
	for range 2 {
		for i := range 3 * mostKept {
			for _, name := range []string{"", "question", long, long + "n", strings.Repeat("é", i%20), string(rune('a' + i))} {
				if got := kept.of([]byte(name)); got != name {
					t.Fatalf("%q became %q", name, got)
				}
			}
		}
	}
}

// A check allocates what it gives, and one thing besides: an answer is only checked.
func TestAllocationsOfChecks(t *testing.T) {
	s := mustCompile(t, `{"type": "object", "required": ["question"], "additionalProperties": false,
		"properties": {"question": {"type": "string", "minLength": 1}, "size": {"enum": ["small", "large"]}}}`)
	ctx, text := t.Context(), []byte(`{"question":"What is due?","size":"small"}`)
	for name, check := range map[string]func() bool{
		"request": func() bool { _, wrong, err := s.Check(ctx, text); return err == nil && wrong == nil },
		"answer":  func() bool { _, wrong, err := s.CheckResponse(ctx, text); return err == nil && wrong == nil },
	} {
		const most = 12 // 7, and more under the race detector, where pools lose a quarter of what they are given
		n := testing.AllocsPerRun(100, func() {
			if !check() {
				t.Fatal("not valid")
			}
		})
		if n > most {
			t.Errorf("%s: %v allocations, want at most %v", name, n, most)
		}
	}
}
