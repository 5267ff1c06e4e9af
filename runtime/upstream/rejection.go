package upstream

import (
	"io"
	"slices"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// explained are the statuses by which an upstream says that the request was wrong, in its own words. It has other reasons
// for 401 and 403, which are about the gateway's credentials, and for 5xx, which are about itself.
var explained = []int{400, 404, 413, 422}

// maxExplanation bounds what is read of an answer that explains, in bytes. One that is longer explains nothing.
const maxExplanation = 64 << 10

// rejected is StatusFailure for an attempt whose caller may be told of a mistake in its own words. The body is read within
// the attempt's time.
func rejected(attempt *relay.Attempt, a *relay.Answer) relay.Failure {
	f := StatusFailure(a)
	if attempt.Explain == nil || !slices.Contains(explained, a.Status) {
		return f
	}
	var body []byte
	if coded(a.Header) == nil {
		body = explanation(a.Body)
	}
	f.Said = attempt.Explain(body)
	return f
}

// explanation is nil where it is too long, or did not come whole.
func explanation(body io.Reader) []byte {
	text, err := io.ReadAll(io.LimitReader(body, maxExplanation+1))
	if err != nil || len(text) > maxExplanation {
		return nil
	}
	return text
}

// Told is Problem for a client whose request an upstream was sent as it is: it is told what the upstream found wrong with
// it, under the upstream's own status.
func Told(f relay.Failure) *problem.Error {
	if f.Kind != relay.FailedStatus || f.Said == nil {
		return Problem(f)
	}
	return problem.Rejected(f.Status, f.Said).WithCause(f)
}
