package openai

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// delta is what one event adds to the answer: to its first choice, where it has several. The slices are the reader's,
// until it reads the next event.
type delta struct {
	kind         relay.Kind
	failure      relay.Failure // why it is Broken
	text         []byte
	refusal      []byte
	toolCalls    []toolCallDelta
	finishReason string
	usage        jsontext.Value
	edits        bool // it is a chunk, whose names of the model may be replaced
}

// toolCallDelta is a part of one tool call. Its arguments may begin and end with halves of pairs.
type toolCallDelta struct {
	index     int // -1 where the upstream leaves it out
	id        string
	name      string
	arguments []byte
}

// reader reads the events of one stream, as the official SDKs read them: what it does not understand is passed over.
type reader struct {
	// deep reads what the deltas hold; otherwise they are only told from empty ones, until the first that is not.
	deep    bool
	content bool // some has come
	chosen  bool // a choice has come
	chunks  int  // events with data or a type
	// heldText and heldRefusal say that the text so far ends with a half, which is kept back in the bytes beside it.
	heldText, heldRefusal held
	envelope              envelope
	delta                 delta
}

// held is the first half of a pair that ended a text, until it is known what follows; empty for none.
type held []byte

var doneMarker = []byte("[DONE]")

func (r *reader) read(f *wire.Frame) *delta {
	d := &r.delta
	*d = delta{text: reused(d.text), refusal: reused(d.refusal), toolCalls: d.toolCalls[:0]}
	if f.HasData || len(f.Event) > 0 {
		r.chunks++
	}
	event := bytes.TrimSpace(f.Event)
	switch data := bytes.TrimSpace(f.Data); {
	case string(event) == "error":
		r.fail(relay.FailedEvent, errErrorEvent)
	case len(data) == 0: // a comment, or nothing
		d.kind = relay.Preamble
	case bytes.HasPrefix(data, doneMarker):
		r.end()
	default:
		r.data(f.Data, len(event) > 0 && string(event) != "message")
	}
	return d
}

// retained is how many bytes of buffer a stream may keep for its next events.
const retained = 64 << 10

func reused(buffer []byte) []byte {
	if cap(buffer) > retained {
		return nil
	}
	return buffer[:0]
}

var (
	errErrorEvent  = errors.New("the upstream sent an event of the type error")
	errErrorMember = errors.New("the upstream stated an error")
	errNoChoice    = errors.New("the end came before any choice")
)

func (r *reader) fail(kind relay.FailureKind, err error) {
	r.delta.kind = relay.Broken
	r.delta.failure = relay.Failure{Kind: kind, Err: fmt.Errorf("chunk %d: %w", r.chunks, err)}
}

// end takes the mark of the end. What ends without a choice is not a completion, like a whole answer without one.
func (r *reader) end() {
	if !r.chosen {
		r.fail(relay.FailedMalformed, errNoChoice)
		return
	}
	r.delta.kind = relay.Done
	r.delta.text = r.heldText.flush(r.delta.text)
	r.delta.refusal = r.heldRefusal.flush(r.delta.refusal)
}

// data reads an event. One of a type that the protocol does not have is a chunk where it has choices; anything else in it
// is between the upstream and its clients.
func (r *reader) data(data []byte, typed bool) {
	e := &r.envelope
	err := e.read(data)
	switch {
	case err != nil && (typed || errors.Is(err, errNotObject)):
	case err != nil:
		r.fail(relay.FailedMalformed, err)
		return
	case states(e.failure.of(e.doc)):
		r.fail(relay.FailedEvent, errErrorMember)
		return
	case !typed || e.choices.found():
		r.chunk(e)
	}
	if r.content {
		r.delta.kind = relay.Content
	}
}

func (r *reader) chunk(e *envelope) {
	r.delta.edits = true
	if r.deep || !r.content {
		r.choices(e.choices.of(e.doc))
	}
	if r.deep {
		r.delta.usage = asUsage(e.usage.of(e.doc))
		r.delta.text = r.heldText.keep(r.delta.text)
		r.delta.refusal = r.heldRefusal.keep(r.delta.refusal)
	}
}

// maxChoices bounds the choices of a chunk that are looked at: as many as OpenAI's API lets a request ask for.
const maxChoices = 128

func (r *reader) choices(list []byte) {
	if isNull(list) {
		return
	}
	_ = elementsSaid(list, func(i int, at span) { // it has been read once already; what is not a list has no choices
		if choice := at.of(list); i < maxChoices && choice[0] == '{' {
			r.chosen = true
			r.choice(i, choice)
		}
	})
}

func (r *reader) choice(position int, choice []byte) {
	var given, index, reason span
	_ = membersSaid(choice, func(name []byte, value span) {
		switch string(name) {
		case "index":
			index = value
		case "delta":
			given = value
		case "finish_reason":
			reason = value
		}
	})
	first := r.deep && saidInteger(index.of(choice), position) == 0
	if first {
		r.delta.finishReason = saidWord(reason.of(choice))
	}
	r.members(given.of(choice), first)
}

// A delta of nothing but a role, or of empty members, is what servers send before the model has said anything.
func (r *reader) members(given []byte, first bool) {
	if isNull(given) {
		return
	}
	var s said
	_ = s.read(given) // what is not an object says nothing
	r.content = r.content || s.any
	if first {
		d := &r.delta
		d.text = r.heldText.append(d.text, s.content.of(given))
		d.refusal = r.heldRefusal.append(d.refusal, s.refusal.of(given))
		d.toolCalls = appendToolCalls(d.toolCalls, s.calls.of(given))
	}
}

// said is where the members of a message, or of a part of one, lie that the gateway itself uses.
type said struct {
	content, refusal, calls span
	any                     bool // member but the role is there, and not empty
}

// read finds them. The error says that the message is not an object.
func (s *said) read(message []byte) error {
	return membersSaid(message, func(name []byte, at span) {
		switch string(name) {
		case "role":
			return
		case "content":
			s.content = at
		case "refusal":
			s.refusal = at
		case "tool_calls":
			s.calls = at
		}
		s.any = s.any || !empty(at.of(message))
	})
}

// append appends what a value says to the half that was kept back, and to it alone where it says something.
func (h *held) append(dst, value []byte) []byte {
	if len(*h) == 0 || empty(value) {
		return appendSaid(dst, value)
	}
	dst = append(dst, *h...)
	*h = (*h)[:0]
	return appendSaid(dst, value)
}

// keep takes away a half that ends the text; others have no other half.
func (h *held) keep(text []byte) []byte {
	if highHalf(text) {
		*h = append((*h)[:0], text[len(text)-halfBytes:]...)
		text = text[:len(text)-halfBytes]
	}
	return settle(text)
}

func (h *held) flush(dst []byte) []byte {
	if len(*h) == 0 {
		return dst
	}
	*h = (*h)[:0]
	return append(dst, replacement...)
}

// appendToolCalls reads tool calls, or parts of them. It stops beyond MaxToolCalls, which nobody keeps.
func appendToolCalls(dst []toolCallDelta, list []byte) []toolCallDelta {
	if isNull(list) {
		return dst
	}
	err := elementsSaid(list, func(_ int, at span) {
		if len(dst) <= MaxToolCalls {
			dst = appendToolCall(dst, at.of(list))
		}
	})
	if errors.Is(err, errNotArray) { // one alone
		dst = appendToolCall(dst, list)
	}
	return dst
}

// appendToolCall reads a tool call, or a part of one: both have the same members.
func appendToolCall(dst []toolCallDelta, call []byte) []toolCallDelta {
	part := toolCallDelta{index: -1}
	err := membersSaid(call, func(name []byte, at span) {
		switch value := at.of(call); string(name) {
		case "index":
			part.index = saidInteger(value, -1)
		case "id":
			part.id = saidWord(value)
		case "function":
			part.function(value)
		}
	})
	if err != nil { // it is not an object
		return dst
	}
	return append(dst, part)
}

func (c *toolCallDelta) function(object []byte) {
	_ = membersSaid(object, func(name []byte, at span) {
		switch value := at.of(object); string(name) {
		case "name":
			c.name = saidWord(value)
		case "arguments":
			c.arguments = appendArguments(nil, value)
		}
	})
}
