package relay

import (
	"context"
	"errors"
	"io"
	"strings"
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
			r := io.Reader(strings.NewReader(strings.Repeat("x", max(tt.bytes, -tt.bytes))))
			if tt.bytes < 0 {
				r = io.MultiReader(r, iotest.ErrReader(broken))
			}
			m := &counted{room: tt.room}
			text, err := ReadAll(t.Context(), m, r, tt.announced, tt.limit)
			failure, _ := errors.AsType[Failure](err)
			switch {
			case tt.err != nil && !errors.Is(err, tt.err), failure.Kind != tt.kind:
				t.Errorf("%v", err)
			case err == nil && len(text) != tt.bytes, err != nil && text != nil:
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
