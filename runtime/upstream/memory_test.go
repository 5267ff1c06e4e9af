package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/relay"
)

// room is a memory of this many bytes.
type room struct{ bytes, held, most int }

func (r *room) Reserve(_ context.Context, bytes int) error {
	if r.held+bytes > r.bytes {
		return relay.Failure{Kind: relay.FailedMemory}
	}
	r.held += bytes
	r.most = max(r.most, r.held)
	return nil
}

func (r *room) Return(bytes int) { r.held -= bytes }

func (r *room) Branch(int) {}

// givenAnswer is a client that gives the same answer each time.
type givenAnswer struct {
	media, body string
	calls       int
}

func (a *givenAnswer) Do(context.Context, *Call) (*Answer, error) {
	a.calls++
	return &Answer{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {a.media}}, Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

func plan(m relay.Memory, endpoints int) *Plan {
	o := Options{Name: "a", Timeouts: Timeouts{Connect: patience, FirstToken: patience, Idle: patience, Total: patience}}
	var members Members
	for i := range endpoints {
		members = append(members, Member{Endpoint: &Endpoint{URL: fmt.Sprintf("http://a%d.test", i)}})
	}
	o.Endpoints = members
	return &Plan{
		Upstreams: []*Upstream{New(o)}, Memory: m,
		Ask: func(*Upstream) (*Question, error) { return &Question{Body: pieces.Text{[]byte("{}")}}, nil },
	}
}

// If there is no memory for an answer, it is not read any further and not requested again, and nothing stays reserved.
func TestWholeAnswersAreReserved(t *testing.T) {
	refused := errors.New("refused")
	for name, tt := range map[string]struct {
		body  int
		room  int
		keep  int // bytes; 0 is all
		check error
		want  relay.FailureKind
		calls int
	}{
		"it fits":           {100_000, 1 << 20, 0, nil, relay.NoFailure, 1},
		"no memory":         {100_000, 100_000, 0, nil, relay.FailedMemory, 1},
		"beyond the budget": {100_000, 1 << 20, 50_000, nil, relay.FailedBudget, 1},
		"not accepted":      {100_000, 1 << 20, 0, refused, relay.FailedMalformed, 2},
		"small":             {100, 300_000, 0, nil, relay.NoFailure, 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := &room{bytes: tt.room}
			client := &givenAnswer{media: "application/json", body: strings.Repeat("x", tt.body)}
			kept := 0
			answer, err := Fetch(t.Context(), client, reading(plan(m, 2).Attempts(), func(*Fetched) error { return tt.check }), Expect{
				Keep: func(bytes int) error {
					if tt.keep > 0 && kept+bytes > tt.keep {
						return relay.Failure{Kind: relay.FailedBudget}
					}
					kept += bytes
					return nil
				},
				Drop: func(bytes int) { kept -= bytes },
			}, nil)
			if relay.FailureKindOf(err) != tt.want || client.calls != tt.calls {
				t.Errorf("%v after %d calls, want %q after %d", err, client.calls, tt.want, tt.calls)
			}
			if answer != nil && (m.held != relay.Held(answer.Body) || kept != tt.body) || answer == nil && (m.held != 0 || kept != 0) {
				t.Errorf("%d bytes are reserved, %d kept", m.held, kept)
			}
		})
	}
}

// Memory for an event that takes many reads is reserved as it comes; streams of small events need none, no matter how fast they
// come.
func TestLargeEventsAreReserved(t *testing.T) {
	event := func(bytes int) string { return "data: c" + strings.Repeat("x", bytes) + "\n\n" }
	for name, tt := range map[string]struct {
		body string
		room int
		want relay.FailureKind
		most int // reserved at least
	}{
		"small events":             {strings.Repeat(event(1000), 1000) + "data: d\n\n", 0, relay.NoFailure, 0},
		"events of a read":         {strings.Repeat(event(15_000), 100) + "data: d\n\n", 0, relay.NoFailure, 0},
		"a large one":              {event(900_000) + event(10) + "data: d\n\n", 4 << 20, relay.NoFailure, 1_800_000},
		"a large one, no memory":   {event(900_000) + event(10) + "data: d\n\n", 1 << 20, relay.FailedMemory, 0},
		"several lines":            {"data: c\n" + strings.Repeat("data: xxxxxxx\n", 60_000) + "\ndata: d\n\n", 8 << 20, relay.NoFailure, 1_600_000},
		"one that never ends":      {"data: c" + strings.Repeat("x", 900_000), 4 << 20, relay.FailedTruncated, 1_800_000},
		"kept back, and no memory": {strings.Repeat("data: p"+strings.Repeat("x", 10_000)+"\n\n", 20) + "data: c\n\ndata: d\n\n", 50_000, relay.FailedMemory, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := &room{bytes: tt.room}
			client := &givenAnswer{media: "text/event-stream", body: tt.body}
			err := Stream(t.Context(), client, tapped(plan(m, 1).Attempts(), letterTap{}), discard{}, nil)
			if relay.FailureKindOf(err) != tt.want || m.held != 0 || m.most < tt.most {
				t.Errorf("%v, want %q; %d bytes are reserved, at most %d, want %d", err, tt.want, m.held, m.most, tt.most)
			}
		})
	}
}

// slowRoom is a memory in which each reservation waits.
type slowRoom struct{ wait time.Duration }

func (r slowRoom) Reserve(context.Context, int) error { time.Sleep(r.wait); return nil }
func (slowRoom) Return(int)                           {}
func (slowRoom) Branch(int)                           {}

// silent is a client whose answers begin and never end.
type silent struct{}

func (silent) Do(ctx context.Context, _ *Call) (*Answer, error) {
	body, writer := io.Pipe()
	context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })
	return &Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}

// If an answer came too late because the replica's memory was in use, the upstream is not at fault.
func TestWhatWaitedForMemoryWasNotSlow(t *testing.T) {
	for name, tt := range map[string]struct {
		wait time.Duration
		want relay.FailureKind
	}{
		"no wait":   {0, relay.FailedTotal},
		"a little":  {patience / 4, relay.FailedTotal},
		"mostly so": {patience / 4 * 3, relay.FailedMemory},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := Fetch(t.Context(), silent{}, plan(slowRoom{tt.wait}, 1).Attempts(), Expect{}, nil)
				if relay.FailureKindOf(err) != tt.want {
					t.Errorf("%v, want %q", err, tt.want)
				}
			})
		})
	}
}
