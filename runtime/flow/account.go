package flow

import (
	"math"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// account adds up what the calls of one request took, those included whose answers nobody used.
type account struct {
	mu                sync.Mutex
	tokens            llm.Tokens // those that were reported
	cost              float64
	priced, estimated bool
}

// spend is told what a call took.
func (q *request) spend(s upstream.Spent) {
	q.account.add(s)
	if q.env.Spent != nil {
		q.env.Spent(q.Path, q.model, s)
	}
}

func (a *account) add(s upstream.Spent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !s.Estimated {
		a.tokens.Add(s.Tokens)
	}
	if !s.Priced {
		return
	}
	a.priced = true
	a.cost += s.Cost
	a.estimated = a.estimated || s.Estimated
}

// The members of a usage that are the gateway's own, and those that say the same in some upstreams' words.
const (
	memberCost      = "cost"
	memberEstimated = "cost_estimated"
)

// decimals is how many digits a cost has after the point: fractions of a millionth of a token's price are noise.
const decimals = 1e12

// on adds the cost to a usage, if there is one and any call had a price.
func (a *account) on(usage jsontext.Value) jsontext.Value {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.priced || usage == nil {
		return usage
	}
	others, err := rawjson.Renamed(usage, func(name string) string {
		if name == memberCost || name == memberEstimated {
			return ""
		}
		return name
	})
	if err != nil { // it has been read once already
		return usage
	}
	priced := rawjson.WithMember(others, memberCost, strconv.AppendFloat(nil, math.Round(a.cost*decimals)/decimals, 'f', -1, 64))
	if a.estimated {
		priced = rawjson.WithMember(priced, memberEstimated, []byte("true"))
	}
	return priced
}

// usage is that of all calls so far, as far as it was reported, with what they cost; nil where nothing was reported.
func (a *account) usage() jsontext.Value {
	a.mu.Lock()
	tokens := a.tokens
	a.mu.Unlock()
	return a.on(llm.UsageOf(tokens))
}
