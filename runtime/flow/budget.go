package flow

import (
	"sync"
	"sync/atomic"

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

// room is how many bytes of answers may still be kept.
func (b *budget) room() int { return max(0, b.limits.MaxBytes-int(b.bytes.Load())) }

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
