package relay

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// A loan's text is whole, and its memory is another's only once it was given back.
func TestLoan(t *testing.T) {
	for _, size := range []int{0, 1, lentStep - 1, lentStep, 5 * lentStep, mostLent - 1, mostLent, 2 * mostLent} {
		for _, announced := range []int64{-1, int64(size)} {
			var first, second Loan
			defer first.GiveBack() // which may be called for nothing
			texts := [2][]byte{}
			for i, l := range []*Loan{&first, &second} {
				sent := strings.Repeat(string(rune('a'+i)), size)
				text, err := l.ReadAll(t.Context(), Unlimited, strings.NewReader(sent), announced, 1<<20)
				if err != nil || string(text) != sent {
					t.Fatalf("%d bytes of %d, %v", len(text), size, err)
				}
				texts[i] = text
			}
			if size > 0 && (texts[0][0] != 'a' || texts[1][0] != 'b') {
				t.Errorf("%d bytes, announced as %d: two loans share memory", size, announced)
			}
			second.GiveBack()
			if spoils && second.block == nil && size >= leastLent && size < mostLent && texts[1][0] != spoilt {
				t.Errorf("%d bytes, announced as %d: what was given back is not", size, announced)
			}
			first.GiveBack()
		}
	}
}

// A text that is not whole is lent to nobody.
func TestALoanThatFails(t *testing.T) {
	broken := errors.New("broken")
	var l Loan
	r := io.MultiReader(strings.NewReader(strings.Repeat("x", 3*lentStep)), iotest.ErrReader(broken))
	if text, err := l.ReadAll(t.Context(), Unlimited, r, -1, 1<<20); !errors.Is(err, broken) || text != nil || l.block != nil {
		t.Errorf("%d bytes, %v, lent %v", len(text), err, l.block)
	}
}

// Memory is found again, so that a text costs the garbage collector nothing.
func TestLentMemoryIsUsedAgain(t *testing.T) {
	sent := strings.Repeat("x", 20*lentStep)
	n := testing.Benchmark(func(b *testing.B) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			var l Loan
			_, _ = l.ReadAll(t.Context(), Unlimited, strings.NewReader(sent), int64(len(sent)), 1<<20)
			l.GiveBack()
		}
	}).AllocedBytesPerOp()
	if most := int64(len(sent) / 2); n > most { // under the race detector, pools lose a quarter of what they are given
		t.Errorf("a text of %d bytes takes %d bytes of new memory, want at most %d", len(sent), n, most)
	}
}
