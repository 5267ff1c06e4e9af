package streams

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Ending is how a stream ended, as its client saw it.
type Ending string

// The endings of a stream. Only Done is what a user wants.
const (
	// Done came to the end that the protocol gives it, with every token once and in order.
	Done Ending = "done"
	// Failed ended with an error event.
	Failed Ending = "error event"
	// Cut ended with neither: the connection broke, or the stream fell silent or short.
	Cut Ending = "cut"
	// Refused never began: no connection, or a status other than 200.
	Refused Ending = "refused"
	// Left was cancelled by this client itself.
	Left Ending = "left"
)

// Result is one stream, seen from its client.
type Result struct {
	Ending Ending
	// Status is the answer's HTTP status; 0 if there was none.
	Status int
	// Text is the content of all tokens.
	Text string
	// Tokens is the number of events with content.
	Tokens int
	// First is the time from the request to the first token, Took that to the end.
	First, Took time.Duration
	// Err says why the ending is not Done. It quotes figures and statuses, never a prompt or an answer.
	Err error
}

func (r Result) String() string {
	s := fmt.Sprintf("%s after %d tokens and %s", r.Ending, r.Tokens, r.Took.Round(time.Millisecond))
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// maxExamples bounds how many bad endings a Tally quotes.
const maxExamples = 5

// Tally counts results.
type Tally struct {
	Done, Failed, Cut, Refused, Left int
	Tokens                           int
	// Examples are the first streams that did not end as Done or Left.
	Examples []string
}

// Ended is the number of streams that the tally holds.
func (t Tally) Ended() int { return t.Done + t.Failed + t.Cut + t.Refused + t.Left }

// Lost is the number of streams that ended otherwise than their client wanted.
func (t Tally) Lost() int { return t.Failed + t.Cut + t.Refused }

func (t Tally) String() string {
	count := fmt.Sprintf("%d streams: %d done, %d cut, %d error events, %d refused, %d tokens",
		t.Ended(), t.Done, t.Cut, t.Failed, t.Refused, t.Tokens)
	return strings.Join(append([]string{count}, t.Examples...), "\n  ")
}

func (t Tally) with(r Result) Tally {
	t.Tokens += r.Tokens
	switch r.Ending {
	case Done:
		t.Done++
		return t
	case Left:
		t.Left++
		return t
	case Failed:
		t.Failed++
	case Refused:
		t.Refused++
	case Cut:
		t.Cut++
	}
	if len(t.Examples) < maxExamples {
		t.Examples = append(slices.Clone(t.Examples), r.String())
	}
	return t
}
