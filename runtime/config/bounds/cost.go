package bounds

import (
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
)

// many is where counts end: functions that call each other multiply beyond any number.
const many = 1 << 40

// count is a count as people read it.
func count(n int) string {
	if n >= many {
		return "very many"
	}
	return strconv.Itoa(n)
}

func plus(a, b int) int { return min(a+b, many) }

func times(a, n int) int {
	if a > 0 && n > many/a {
		return many
	}
	return a * n
}

func (l Latency) plus(o Latency) Latency {
	l.Unlimited = l.Unlimited || o.Unlimited || l.Max > math.MaxInt64-o.Max
	if l.Max += o.Max; l.Unlimited {
		l.Max = 0
	}
	return l
}

func (l Latency) times(n int) Latency {
	l.Unlimited = l.Unlimited || n >= many || (n > 0 && l.Max > math.MaxInt64/config.Duration(n))
	if l.Max *= config.Duration(n); l.Unlimited {
		l.Max = 0
	}
	return l
}

// longerThan reports whether the work may take longer than d.
func (l Latency) longerThan(d config.Duration) bool { return l.Unlimited || l.Max > d }

// within is the latency of work that has a timeout; 0 means unlimited.
func (l Latency) within(d config.Duration, by string) Latency {
	if d > 0 && l.longerThan(d) {
		return Latency{Max: d, By: by}
	}
	return l
}

func (l Latency) String() string {
	if l.Unlimited {
		return "any time"
	}
	return short(l.Max)
}

// short is a duration without the units that are zero.
func short(d config.Duration) string {
	text := d.Std().String()
	switch {
	case d != 0 && d%config.Duration(time.Hour) == 0:
		return text[:len(text)-len("0m0s")]
	case d != 0 && d%config.Duration(time.Minute) == 0:
		return text[:len(text)-len("0s")]
	}
	return text
}

func (t TokenBound) plus(o TokenBound) TokenBound {
	return TokenBound{Max: plus(t.Max, o.Max), Unlimited: t.Unlimited || o.Unlimited}
}

// or is the worse of two.
func (t TokenBound) or(o TokenBound) TokenBound {
	return TokenBound{Max: max(t.Max, o.Max), Unlimited: t.Unlimited || o.Unlimited}
}

// then is work and other work after it.
func (c Cost) then(o Cost) Cost {
	c = c.spending(o)
	c.Latency = c.Latency.plus(o.Latency)
	c.Calls.Min = plus(c.Calls.Min, o.Calls.Min)
	return c
}

// spending adds what other work may use, whenever it does.
func (c Cost) spending(o Cost) Cost {
	c.Calls.Max = plus(c.Calls.Max, o.Calls.Max)
	c.Tokens = c.Tokens.plus(o.Tokens)
	return c
}

// repeated is the same work n times, one after the other; how often it has to succeed is the caller's to say.
func (c Cost) repeated(n int) Cost {
	return Cost{
		Latency: c.Latency.times(n),
		Calls:   Calls{Max: times(c.Calls.Max, n)},
		Tokens:  TokenBound{Max: times(c.Tokens.Max, n), Unlimited: c.Tokens.Unlimited && n > 0},
	}
}

// completionLimit is what the parameters of a model's call allow its answer; false if they do not say, or a
// template does.
func completionLimit(parameters jsontext.Value) (int, bool) {
	var limits struct {
		Tokens     any `json:"max_tokens"`
		Completion any `json:"max_completion_tokens"`
	}
	if parameters == nil || json.Unmarshal(parameters, &limits) != nil {
		return 0, false
	}
	limit, found := 0, false
	for _, value := range []any{limits.Tokens, limits.Completion} {
		if n, ok := value.(float64); ok && n >= 1 && n <= many {
			limit, found = max(limit, int(n)), true
		}
	}
	return limit, found
}
