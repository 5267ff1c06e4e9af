package llm

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/rawjson"
)

// Tokens counts the tokens of an answer.
type Tokens struct {
	Prompt, Completion, Total int64
	// Cached are the tokens of Prompt that the upstream had kept from earlier calls, and Reasoning those of Completion that the
	// model spent on reasoning.
	Cached, Reasoning int64
}

// Add adds the tokens of another call.
func (t *Tokens) Add(o Tokens) {
	t.Prompt += o.Prompt
	t.Completion += o.Completion
	t.Total += o.Total
	t.Cached += o.Cached
	t.Reasoning += o.Reasoning
}

// Parts are the tokens by price: each is in one part. Tokens of the total that are in neither of the others count as output,
// because some upstreams leave reasoning out of the completion.
func (t *Tokens) Parts() (input, cached, output, reasoning int64) {
	said := max(t.Completion, t.Total-t.Prompt)
	cached, reasoning = min(t.Cached, t.Prompt), min(t.Reasoning, said)
	return t.Prompt - cached, cached, said - reasoning, reasoning
}

// InputAlone are the tokens of an answer without output tokens, such as vectors.
func InputAlone(t Tokens) Tokens {
	t.Prompt, t.Completion = max(t.Prompt, t.Total), 0
	return t
}

// UsageOf writes tokens as the Usage of a Completion; nil if nothing was counted.
func UsageOf(t Tokens) jsontext.Value {
	if t == (Tokens{}) {
		return nil
	}
	usage := rawjson.Object{}.With("prompt_tokens", number(t.Prompt)).With("completion_tokens", number(t.Completion)).
		With("total_tokens", number(t.Total))
	if t.Cached > 0 {
		usage = usage.With("prompt_tokens_details", rawjson.Object{}.With("cached_tokens", number(t.Cached)).Done())
	}
	if t.Reasoning > 0 {
		usage = usage.With("completion_tokens_details", rawjson.Object{}.With("reasoning_tokens", number(t.Reasoning)).Done())
	}
	return usage.Done()
}

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// TokensOf reads the Usage of a Completion, which is a valid object or nil. Values that are not counts are ignored, and a
// missing total is computed: an answer is not lost because of its bill.
func TokensOf(usage jsontext.Value) Tokens {
	var t Tokens
	eachCount(usage, func(name, value []byte) {
		switch string(name) {
		case "prompt_tokens":
			t.Prompt = count(value, t.Prompt)
		case "completion_tokens":
			t.Completion = count(value, t.Completion)
		case "total_tokens":
			t.Total = count(value, t.Total)
		case "prompt_tokens_details":
			t.Cached = detail(value, "cached_tokens")
		case "completion_tokens_details":
			t.Reasoning = detail(value, "reasoning_tokens")
		}
	})
	t.Total = max(t.Total, t.Prompt+t.Completion)
	return t
}

// eachCount visits the members of a value that has been read before, as part of its document; a value that is not an object has
// none.
func eachCount(object []byte, visit func(name, value []byte)) {
	if jsontext.Value(object).Kind() != '{' {
		return
	}
	_ = rawjson.MembersSaid(object, func(name []byte, at rawjson.Span) { visit(name, at.Of(object)) })
}

func count(value []byte, otherwise int64) int64 {
	if n := rawjson.Count(value, 0); n <= rawjson.MaxCount {
		return int64(n)
	}
	return otherwise
}

func detail(object []byte, name string) (n int64) {
	eachCount(object, func(member, value []byte) {
		if string(member) == name {
			n = count(value, n)
		}
	})
	return n
}

// Used is the usage of one call of a model, as far as its answer shows it.
type Used struct {
	// Said is the approximate number of tokens of the answer so far, for an upstream that reports none.
	Said   int64
	tokens Tokens
	usage  []byte // the last one that came, not read yet
}

const (
	// bytesOfToken is the approximate number of bytes of text for each token.
	bytesOfToken = 4
	// maxFraming is the largest part of an event that is assumed not to be text, in bytes.
	maxFraming = 512
	// maxUsage bounds, in bytes, a usage that is read for the account.
	maxUsage = 16 << 10
)

// Estimate is the approximate number of tokens in a text of this many bytes.
func Estimate(bytes int) int64 { return int64(bytes+bytesOfToken-1) / bytesOfToken }

// Event counts an event with content and this many bytes of data: most servers send one for each token.
func (u *Used) Event(bytes int) { u.Said += 1 + Estimate(max(bytes-maxFraming, 0)) }

// Report records the Usage of a Completion. The last one counts; it is read when Tokens is called.
func (u *Used) Report(usage []byte) {
	if len(usage) <= maxUsage {
		u.usage = append(u.usage[:0], usage...)
	}
}

// Count records what a whole answer reports, and its approximate number of bytes.
func (u *Used) Count(t Tokens, bytes int) { u.tokens, u.Said = t, Estimate(bytes) }

// Tokens are those that were reported; false if there are none.
func (u *Used) Tokens() (Tokens, bool) {
	if len(u.usage) > 0 {
		u.tokens, u.usage = TokensOf(u.usage), u.usage[:0]
	}
	return u.tokens, u.tokens.Total > 0
}
