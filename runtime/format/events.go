package format

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Events writes the stream of several steps, as events that have their names. The names done, error, progress and result
// are its own.
type Events struct{}

// Progress says that something has begun or ended; data is JSON.
func (Events) Progress(dst []byte, data jsontext.Value) []byte {
	return wire.AppendEvent(dst, "progress", data)
}

// Value is that of the step, as JSON.
func (Events) Value(dst []byte, step string, value jsontext.Value) []byte {
	return wire.AppendEvent(dst, step, value)
}

// Result is the route's body, as JSON.
func (Events) Result(dst []byte, body jsontext.Value) []byte {
	return wire.AppendEvent(dst, "result", body)
}

// Done ends the stream; usage is that of all its calls, nil if it is not known.
func (Events) Done(dst []byte, usage jsontext.Value) []byte {
	data := append([]byte(`{"usage":`), orNull(usage)...)
	return wire.AppendEvent(dst, "done", append(data, '}'))
}

// Error ends the stream, too.
func (Events) Error(dst []byte, e *problem.Error) []byte { return namedError(dst, e) }

// Step writes the text of one step of an Events stream.
type Step struct{ head []byte }

// NewStep returns the writer of the step's text. The name cannot hold line ends: they become spaces.
func NewStep(name string) *Step {
	event := wire.AppendEvent(nil, name, []byte(`{"text":`))
	return &Step{head: event[:len(event)-len("\n\n")]}
}

// Delta writes the next piece of text, as Writer's does.
func (s *Step) Delta(dst, text []byte) []byte { return delta(dst, s.head, text, jsonTail) }

// Done writes nothing: the stream goes on after a step.
func (s *Step) Done(dst []byte, _ string, _ jsontext.Value) []byte { return dst }
