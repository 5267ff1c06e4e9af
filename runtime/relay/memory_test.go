package relay

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// counted is a memory of so many bytes.
type counted struct {
	room, held, most int
	asked            []int
}

func (c *counted) Reserve(_ context.Context, bytes int) error {
	c.asked = append(c.asked, bytes)
	if c.held+bytes > c.room {
		return Failure{Kind: FailedMemory}
	}
	c.held += bytes
	c.most = max(c.most, c.held)
	return nil
}

func (c *counted) Return(bytes int) { c.held -= bytes }

func (c *counted) Branch(int) {}

func TestReadAll(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		bytes     int
		announced int64
		limit     int
		room      int
		err       error
		kind      FailureKind
		asked     []int // for the buffers, one after the other
	}{
		"nothing":                   {0, 0, 100, 1 << 20, nil, "", []int{202}},
		"a short one":               {10, 10, 100, 1 << 20, nil, "", []int{22}},
		"a short one, not told":     {10, -1, 1 << 20, 1 << 20, nil, "", []int{2 * firstRead}},
		"a long one":                {100_000, 100_000, 1 << 20, 1 << 20, nil, "", []int{2 * firstRead, 2 * (100_001 - firstRead)}},
		"many pieces, not told":     {700_000, -1, 1 << 20, 2 << 20, nil, "", pieces(700_000)},
		"no room for a piece":       {700_000, -1, 1 << 20, 1 << 20, nil, FailedMemory, pieces(700_000)[:9]},
		"pieces that break off":     {-700_000, -1, 1 << 20, 2 << 20, broken, "", pieces(700_000)},
		"too many pieces":           {1<<20 + 1, -1, 1 << 20, 4 << 20, ErrTooLong, "", pieces(1<<20 + 1)},
		"a long one, not told":      {10_000, -1, 1 << 20, 1 << 20, nil, "", []int{2 * firstRead, 2 * firstRead, 4 * firstRead}},
		"at the limit":              {100, 100, 100, 1 << 20, nil, "", []int{202}},
		"at the limit, not told":    {100, -1, 100, 1 << 20, nil, "", []int{202}},
		"over the limit":            {101, 101, 100, 1 << 20, ErrTooLong, "", nil},
		"over the limit, not told":  {101, -1, 100, 1 << 20, ErrTooLong, "", []int{202}},
		"longer than it said":       {300, 100, 1000, 1 << 20, nil, "", []int{202, 202, 404}},
		"shorter than it said":      {10, 100, 1000, 1 << 20, nil, "", []int{202}},
		"no room at all":            {10, 10, 100, 10, nil, FailedMemory, []int{22}},
		"no room for the rest":      {100_000, 100_000, 1 << 20, 100_000, nil, FailedMemory, []int{2 * firstRead, 2 * (100_001 - firstRead)}},
		"one that sends no more":    {-10, 100_000, 1 << 20, 1 << 20, broken, "", []int{2 * firstRead}},
		"one that breaks off later": {-50_000, 100_000, 1 << 20, 1 << 20, broken, "", []int{2 * firstRead, 2 * (100_001 - firstRead)}},
	} {
		t.Run(name, func(t *testing.T) {
			sent := strings.Repeat("0123456789a", max(tt.bytes, -tt.bytes)/11+1)[:max(tt.bytes, -tt.bytes)]
			r := io.Reader(strings.NewReader(sent))
			if tt.bytes < 0 {
				r = io.MultiReader(r, iotest.ErrReader(broken))
			}
			m := &counted{room: tt.room}
			text, err := ReadAll(t.Context(), m, r, tt.announced, tt.limit)
			failure, _ := errors.AsType[Failure](err)
			switch {
			case tt.err != nil && !errors.Is(err, tt.err), failure.Kind != tt.kind:
				t.Errorf("%v", err)
			case err == nil && string(text) != sent, err != nil && text != nil:
				t.Errorf("%d bytes, %v", len(text), err)
			}
			if m.held != Held(text) {
				t.Errorf("%d bytes are reserved, want %d", m.held, Held(text))
			}
			if diff := cmp.Diff(tt.asked, m.asked); diff != "" {
				t.Errorf("reserved (-want +got):\n%s", diff)
			}
		})
	}
}

// come is a text of which some has come.
type come struct {
	io.Reader

	bytes int
}

func (c come) Come() int { return c.bytes }

// What has come already gets its room at once.
func TestReadAllOfWhatHasCome(t *testing.T) {
	for _, tt := range []struct {
		bytes, come int
		asked       []int
	}{
		{9_000, 9_000, []int{2 * 9_001}},
		{20_000, 9_000, []int{2 * 9_001, 2 * 11_000}},
		{20_000, 10, []int{2 * firstRead, 2 * (20_001 - firstRead)}},
	} {
		m, sent := &counted{room: 1 << 20}, strings.Repeat("x", tt.bytes)
		text, err := ReadAll(t.Context(), m, &InTurns{Reader: come{strings.NewReader(sent), tt.come}}, int64(tt.bytes), 1<<20)
		if err != nil || string(text) != sent {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		if diff := cmp.Diff(tt.asked, m.asked); diff != "" {
			t.Errorf("%d of %d bytes have come; reserved (-want +got):\n%s", tt.come, tt.bytes, diff)
		}
	}
}

// pieces is what is asked for to read a long text of an unknown length within 1 MiB: twice the first, and then as much again
// each time, until a piece is as long as one may be.
func pieces(bytes int) []int {
	asked, size := []int{2 * firstRead}, firstRead
	for size < bytes+1 && size < 1<<20+1 {
		more := min(size, longPiece, 1<<20+1-size)
		asked, size = append(asked, 2*more), size+more
	}
	return asked
}

// Texts that are read at once get pieces that others have had, and nothing of theirs.
func TestPiecesAreUsedAgain(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			sent := strings.Repeat(string(rune('a'+i)), 2*longPiece+i*1000)
			for range 20 {
				text, err := ReadAll(t.Context(), Unlimited, strings.NewReader(sent), -1, 1<<20)
				if err != nil || string(text) != sent {
					t.Errorf("%d bytes, want %d; %v", len(text), len(sent), err)
				}
			}
		})
	}
	wg.Wait()
	whole, _ := ReadAll(t.Context(), Unlimited, strings.NewReader(strings.Repeat("x", 600_000)), -1, 1<<20)
	other, _ := ReadAll(t.Context(), Unlimited, strings.NewReader(strings.Repeat("y", 600_000)), -1, 1<<20)
	if strings.Contains(string(whole), "y") || strings.Contains(string(other), "x") {
		t.Error("a text that was read has changed")
	}
}

// What grows by a few bytes at a time asks seldom, and never holds less than it has grown to.
func TestMeter(t *testing.T) {
	m := &counted{room: 1 << 20}
	meter := Meter{Memory: m}
	for n := 1; n <= 100_000; n++ {
		if err := meter.Grow(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if m.held < n {
			t.Fatalf("%d bytes are reserved for %d", m.held, n)
		}
	}
	if len(m.asked) > 30 || m.held > 130_000 {
		t.Errorf("asked %d times, for %d bytes", len(m.asked), m.held)
	}
	if err := meter.Grow(t.Context(), 1<<20); err == nil {
		t.Error("it grew beyond all room")
	}
	meter.Empty()
	if m.held != 0 {
		t.Errorf("%d bytes are left", m.held)
	}
}
