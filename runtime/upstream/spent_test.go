package upstream

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Each call that an upstream worked on is counted, no matter how it ended; tokens that it did not report are estimated.
func TestWhatACallTook(t *testing.T) {
	reported := llm.Tokens{Prompt: 9, Completion: 5, Total: 14, Cached: 4, Reasoning: 2}
	estimated := llm.Tokens{Prompt: 3, Completion: 7, Total: 10} // of a body of 10 bytes
	kinds := map[relay.FailureKind]bool{
		relay.FailedStatus: false, relay.FailedConnect: false, relay.FailedDial: false, relay.FailedAddress: false,
		relay.FailedCredential: false, relay.FailedBusy: false,
	}
	for _, worked := range []relay.FailureKind{
		relay.NoFailure, relay.FailedHeader, relay.FailedFirstToken, relay.FailedIdle, relay.FailedTotal, relay.FailedTruncated,
		relay.FailedMalformed, relay.FailedEvent, relay.FailedTooLarge, relay.FailedTimeout, relay.FailedDuration, relay.FailedDraining,
		relay.FailedClient, relay.FailedSuperseded, relay.FailedBudget, relay.FailedMemory, relay.FailedSchema, relay.FailedPanic,
	} {
		kinds[worked] = true
	}
	for kind, worked := range kinds {
		for _, tt := range []struct {
			tokens llm.Tokens
			unsent bool
			want   []Spent
		}{
			{reported, false, []Spent{{Upstream: "first", Tokens: reported, Cost: 17, Priced: true}}},
			{llm.Tokens{}, false, []Spent{{Upstream: "first", Tokens: estimated, Estimated: true, Cost: 17, Priced: true}}},
			{llm.Tokens{}, true, nil},
		} {
			used := &llm.Used{}
			used.Count(tt.tokens, 28)
			var spent []Spent
			p := two(t, nil, "")
			p.Upstreams[0].prices = &Prices{Input: 1e6, CachedInput: 5e5, Output: 2e6, Reasoning: 2e6}
			p.Spend = func(s Spent) { spent = append(spent, s) }
			p.Ask = func(*Upstream) (*Question, error) {
				return &Question{Body: pieces.Text{[]byte("ten bytes.")}, Used: used}, nil
			}
			a, _ := p.Attempts()(t.Context(), relay.Failure{})
			a.Release()
			a.Turn.Settle(t.Context(), relay.Failure{Kind: kind, Unsent: tt.unsent})
			want := tt.want
			if !worked {
				want = nil
			}
			if diff := cmp.Diff(want, spent); diff != "" {
				t.Errorf("%q, unsent %v (-want +got):\n%s", kind, tt.unsent, diff)
			}
		}
	}
}

// A call without tokens costs nothing, and without prices no cost is reported.
func TestCallsWithoutPriceOrTokens(t *testing.T) {
	for _, used := range []*llm.Used{nil, {}} {
		var spent []Spent
		p := two(t, nil, "")
		p.Spend = func(s Spent) { spent = append(spent, s) }
		p.Ask = func(*Upstream) (*Question, error) { return &Question{Used: used}, nil }
		a, _ := p.Attempts()(t.Context(), relay.Failure{})
		a.Release()
		a.Turn.Settle(t.Context(), relay.Failure{})
		if (used == nil) != (len(spent) == 0) || len(spent) > 0 && spent[0].Priced {
			t.Errorf("%+v: %+v", used, spent)
		}
	}
	most := llm.Tokens{Prompt: 1 << 40, Completion: 1 << 40, Total: 1 << 41}
	if cost := (&Prices{Input: 999999999, Output: 999999999}).of(most); math.IsInf(cost, 0) || cost < 1e12 {
		t.Errorf("the most costs %v", cost)
	}
}
