package upstream

import (
	"context"
	"slices"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// explained are the statuses with which an upstream says, in its own words, that the request was wrong. The reasons for 401 and
// 403 concern the gateway's credentials, and those for 5xx the upstream itself.
var explained = []int{400, 404, 413, 422}

// maxExplanation bounds what is read of an answer that explains, in bytes. A longer answer explains nothing.
const maxExplanation = 64 << 10

// explainedCopies is how often an explanation may be in memory in addition to its text, because errors can contain errors.
const explainedCopies = 4

// rejected is StatusFailure for an attempt whose caller may read the upstream's words about its mistake. The body is read
// within the attempt's time and memory.
func rejected(ctx context.Context, attempt *Attempt, a *Answer) relay.Failure {
	f := StatusFailure(a)
	if attempt.Explain == nil || !slices.Contains(explained, a.Status) {
		return f
	}
	memory := memoryOf(attempt)
	body := explanation(ctx, memory, a)
	f.Said = attempt.Explain(body)
	memory.Return(relay.Held(body) + explainedCopies*len(body))
	return f
}

// explanation is nil if it is too long, or coded, or did not come whole.
func explanation(ctx context.Context, memory relay.Memory, a *Answer) []byte {
	if coded(a.Header) != nil {
		return nil
	}
	text, err := relay.ReadAll(ctx, memory, a.Body, a.Length, maxExplanation)
	if err != nil {
		return nil
	}
	if err := memory.Reserve(ctx, explainedCopies*len(text)); err != nil {
		memory.Return(relay.Held(text))
		return nil
	}
	return text
}

// Told is Problem for a client whose request was sent to the upstream as it is: the client gets the upstream's words about what
// is wrong with it, under the upstream's own status.
func Told(err error) *problem.Error {
	f, _ := relay.FaultOf(err).(relay.Failure) //nolint:errorlint // not wrapped
	if f.Kind != relay.FailedStatus || f.Said == nil {
		return Problem(err)
	}
	return problem.Rejected(f.Status, f.Said).WithCause(f)
}
