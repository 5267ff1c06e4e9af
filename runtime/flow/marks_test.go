package flow

import (
	"errors"
	"testing"

	"github.com/llmservice/llmservice/runtime/format"
	"github.com/llmservice/llmservice/runtime/relay"
)

// refusing is a sink that sends nothing.
type refusing struct{ relay.Sink }

func (refusing) Send([]byte, relay.EventKind) error { return errors.New("too late") }

// An event that comes too late leaves no gap before the error event.
func TestWhatIsNotSentUsesUpNoID(t *testing.T) {
	m := &marks{fields: format.Fields{IDs: true, Retry: 1e9}}
	if err := m.on(refusing{}).Send([]byte("data: x\n\n"), relay.Content); err == nil {
		t.Error("it was sent")
	}
	if got, want := string(m.last([]byte("data: y\n\n"))), "data: y\nid: 1\nretry: 1000\n\n"; got != want {
		t.Errorf("the last event is %q, want %q", got, want)
	}
}
