package flow

import (
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
)

// budget is what one request may spend, in all that is done for it.
type budget struct {
	limits config.Budget

	calls, bytes atomic.Int64

	mu     sync.Mutex
	tokens openai.Tokens
}

// counted lets a chooser of attempts choose as long as calls are left.
func (b *budget) counted(next relay.Next) relay.Next {
	return func(after relay.Failure) (*relay.Attempt, relay.Failure) {
		attempt, final := next(after)
		if attempt == nil {
			return nil, final
		}
		if b.calls.Add(1) > int64(b.limits.MaxCalls) {
			attempt.Release()
			return nil, relay.Failure{Kind: relay.FailedBudget}
		}
		return attempt, final
	}
}

// keep counts bytes of an upstream's answer.
func (b *budget) keep(bytes int) error {
	if b.bytes.Add(int64(bytes)) > int64(b.limits.MaxBytes) {
		return relay.Failure{Kind: relay.FailedBudget}
	}
	return nil
}

// room is how many bytes of answers may still be kept, at least one.
func (b *budget) room() (int, error) {
	left := b.limits.MaxBytes - int(b.bytes.Load())
	if left <= 0 {
		return 0, relay.Failure{Kind: relay.FailedBudget}
	}
	return left, nil
}

// tokensLeft is how many tokens may still be spent; 0 is no bound.
func (b *budget) tokensLeft() (int64, error) {
	if b.limits.MaxTokens == 0 {
		return 0, nil
	}
	left := int64(b.limits.MaxTokens) - b.spent().Total
	if left <= 0 {
		return 0, relay.Failure{Kind: relay.FailedBudget}
	}
	return left, nil
}

// spend counts the tokens that a call reported.
func (b *budget) spend(t openai.Tokens) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens.Add(t)
}

// spent is what all calls have reported so far.
func (b *budget) spent() openai.Tokens {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens
}

// bill adds up what the calls of one step have used.
type bill struct {
	calls  int
	tokens openai.Tokens
}

// add makes a completion's usage that of the step so far. The one of a single call stays as the upstream gave it.
func (b *bill) add(done *openai.Completion) {
	b.calls++
	b.tokens.Add(done.Tokens)
	if b.calls > 1 {
		done.Usage = usage(b.tokens)
	}
}

// usage is what calls have reported, as upstreams report it; nil where none has.
func usage(t openai.Tokens) jsontext.Value {
	if t == (openai.Tokens{}) {
		return nil
	}
	encoded, err := json.Marshal(t)
	if err != nil {
		return nil
	}
	return encoded
}
