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

// account adds up the usage of one request's calls, including those whose answers were not used.
type account struct {
	mu                sync.Mutex
	tokens            llm.Tokens // those that were reported
	cost              float64
	priced, estimated bool
}

// spend records the usage of a call.
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

// The members of a usage that the gateway writes itself, and those with the same meaning in some upstreams.
const (
	memberCost      = "cost"
	memberEstimated = "cost_estimated"
)

// decimals bounds the digits of a cost after the point: smaller fractions than a millionth of a token's price are noise.
const decimals = 1e12

// on adds the cost to a usage, if there is a usage and any call had a price.
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

// usage is the sum of the usage that calls have reported so far, with their cost; nil if none was reported.
func (a *account) usage() jsontext.Value {
	a.mu.Lock()
	tokens := a.tokens
	a.mu.Unlock()
	return a.on(llm.UsageOf(tokens))
}
