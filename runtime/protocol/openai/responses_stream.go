package openai

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// responseReader reads the events of one response, as the official SDKs read them: it skips what it does not understand.
type responseReader struct {
	deep    bool
	content bool // some has come
	events  int  // with data or a type
	// event is the present event, and whole the response in it, if it has one; edits replace the names there.
	event, whole envelope
	edits        []rawjson.Edit
	alias        []byte // quoted; nil for none
	at           llm.Place
	delta        llm.Delta
	// These are for a deep reader: halves that were kept back, and the calls by their places in the output.
	heldText, heldRefusal held
	calls                 map[int]*streamedCall
}

// preludes are the events that come before the model has begun to answer.
var preludes = []string{
	"response.created", "response.queued", "response.in_progress",
	"response.content_part.added", "response.reasoning_summary_part.added",
}

// Read implements llm.Reader.
func (r *responseReader) Read(f *wire.Frame) *llm.Delta {
	d := &r.delta
	*d = llm.Delta{Text: reused(d.Text), Refusal: reused(d.Refusal), ToolCalls: d.ToolCalls[:0]}
	r.edits = r.edits[:0]
	if f.HasData || len(f.Event) > 0 {
		r.events++
	}
	name := string(bytes.TrimSpace(f.Event))
	switch data := bytes.TrimSpace(f.Data); {
	case name == "error":
		r.fail(relay.FailedEvent, errErrorEvent)
	case len(data) == 0: // a comment, or nothing
	case bytes.HasPrefix(data, doneMarker): // some servers send it, too, after the end; clients would take it for the end
		r.fail(relay.FailedTruncated, errNotCompleted)
	default:
		r.data(f.Data, name)
	}
	if r.content && r.delta.Kind == relay.Preamble {
		r.delta.Kind = relay.Content
	}
	return &r.delta
}

// Pass implements llm.Reader.
func (r *responseReader) Pass(dst []byte, f *wire.Frame) []byte {
	return replaced(dst, f, r.edits)
}

func (r *responseReader) fail(kind relay.FailureKind, err error) {
	r.delta.Kind = relay.Broken
	r.delta.Failure = relay.Failure{Kind: kind, Err: fmt.Errorf("event %d: %w", r.events, err)}
}

var (
	errFailed       = errors.New("the upstream reported that the response failed")
	errNoResponse   = errors.New("the end came without a response")
	errNotCompleted = errors.New("the stream ended without a completed response")
)

// data reads an event. Its type is in the data, or else in the event's name.
func (r *responseReader) data(data []byte, name string) {
	e := &r.event
	switch err := e.read(data); {
	case errors.Is(err, rawjson.ErrNotObject):
		return
	case err != nil:
		r.fail(relay.FailedMalformed, err)
		return
	case states(e.failure.Of(e.doc)):
		r.fail(relay.FailedEvent, errErrorMember)
		return
	}
	if kind := saidWord(e.kind.Of(e.doc)); kind != "" {
		name = kind
	}
	whole, err := r.response()
	if err != nil {
		r.fail(relay.FailedMalformed, err)
		return
	}
	r.happened(name, whole)
}

// response reads the response in an event, if it has one.
func (r *responseReader) response() (found bool, err error) {
	at := r.event.response
	doc := at.Of(r.event.doc)
	if len(doc) == 0 || doc[0] != '{' {
		return false, nil
	}
	if err := r.whole.read(doc); err != nil {
		return false, err
	}
	r.edits = r.whole.edits(r.edits, r.alias, r.at)
	for i := range r.edits {
		r.edits[i].At.Start += at.Start
		r.edits[i].At.End += at.Start
	}
	return true, nil
}

func (r *responseReader) happened(name string, whole bool) {
	switch name {
	case "error":
		r.fail(relay.FailedEvent, errErrorEvent)
	case "response.failed":
		r.fail(relay.FailedEvent, errFailed)
	case "response.completed", "response.incomplete":
		r.end(whole)
	default:
		r.content = r.says(name) || r.content
		if r.deep {
			r.deltas(name)
		}
	}
}

// says reports whether the event carries something that was asked for.
func (r *responseReader) says(name string) bool {
	e := &r.event
	switch {
	case !strings.HasPrefix(name, "response."), slices.Contains(preludes, name):
		return false
	case strings.HasSuffix(name, ".delta"):
		return !empty(e.delta.Of(e.doc))
	case name == "response.output_item.added":
		kind := kindOf(e.item.Of(e.doc))
		return kind != "message" && kind != "reasoning" // these are still empty
	}
	return true
}

// kindOf is an object's type; empty for none.
func kindOf(object []byte) string {
	var kind string
	_ = rawjson.MembersSaid(object, func(name []byte, at rawjson.Span) { // it has been read once already
		if string(name) == "type" {
			kind = saidWord(at.Of(object))
		}
	})
	return kind
}

// end handles the event that ends the stream. It has the whole response, and the usage with it.
func (r *responseReader) end(whole bool) {
	if !whole {
		r.fail(relay.FailedMalformed, errNoResponse)
		return
	}
	r.delta.Kind = relay.Done
	r.delta.Usage = chatUsage(r.whole.usage.Of(r.whole.doc))
	if r.deep {
		r.endOf()
	}
}
