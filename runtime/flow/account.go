package flow

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// account adds up what the calls of one request cost, those included whose answers nobody used.
type account struct {
	mu                sync.Mutex
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
	if !s.Priced {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
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
	priced := rawjson.Object(slices.Clip(bytes.TrimSpace(others[:bytes.LastIndexByte(others, '}')])))
	if len(priced) == 1 {
		priced = nil // there was nothing in it
	}
	priced = priced.With(memberCost, strconv.AppendFloat(nil, math.Round(a.cost*decimals)/decimals, 'f', -1, 64))
	if a.estimated {
		priced = priced.With(memberEstimated, []byte("true"))
	}
	return priced.Done()
}
