package upstream

import (
	"context"
	"slices"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// explained are the statuses by which an upstream says that the request was wrong, in its own words. It has other reasons
// for 401 and 403, which are about the gateway's credentials, and for 5xx, which are about itself.
var explained = []int{400, 404, 413, 422}

// maxExplanation bounds what is read of an answer that explains, in bytes. One that is longer explains nothing.
const maxExplanation = 64 << 10

// explainedCopies is how often an explanation is held beside its text: errors stand within errors.
const explainedCopies = 4

// rejected is StatusFailure for an attempt whose caller may be told of a mistake in its own words. The body is read within
// the attempt's time and memory.
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

// explanation is nil where it is too long or coded, or did not come whole.
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

// Told is Problem for a client whose request an upstream was sent as it is: it is told what the upstream found wrong with
// it, under the upstream's own status.
func Told(err error) *problem.Error {
	f, _ := relay.FaultOf(err).(relay.Failure) //nolint:errorlint // it is one as it stands
	if f.Kind != relay.FailedStatus || f.Said == nil {
		return Problem(err)
	}
	return problem.Rejected(f.Status, f.Said).WithCause(f)
}
