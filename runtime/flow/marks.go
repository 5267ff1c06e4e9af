package flow

import (
	"sync"

	"github.com/llmservice/llmservice/runtime/format"
	"github.com/llmservice/llmservice/runtime/relay"
)

// marks are the fields of a stream's events by which a client knows where it was when its connection broke.
type marks struct {
	mu     sync.Mutex
	fields format.Fields
	buffer []byte
}

// maxMarked bounds what is kept to write the next events into, in bytes.
const maxMarked = 64 << 10

// on is a sink whose events have the fields.
func (m *marks) on(out relay.Sink) relay.Sink {
	if m.fields == (format.Fields{}) {
		return out
	}
	return &markedSink{Sink: out, marks: m}
}

// last adds the fields to the stream's last event, which no sink sends.
func (m *marks) last(event []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	marked, _ := m.fields.Add(nil, event)
	return marked
}

type markedSink struct {
	relay.Sink

	marks *marks
}

// Send implements relay.Sender. Events that several steps send at once have their ids in the order in which they are sent; one that
// is not sent uses up none.
func (s *markedSink) Send(events []byte, kind relay.EventKind) error {
	m := s.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	marked, next := m.fields.Add(m.buffer[:0], events)
	if err := s.Sink.Send(marked, kind); err != nil {
		return err //nolint:wrapcheck // it is a Failure already
	}
	if m.fields, m.buffer = next, marked; cap(marked) > maxMarked {
		m.buffer = nil
	}
	return nil
}
