package openai

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

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
	delta                 llm.Delta
	// edits says that the frame is a chunk, whose names of the model may be replaced.
	edits bool
	alias []byte // quoted; nil for none
}

// held is the first half of a pair that ended a text, until it is known what follows; empty for none.
type held []byte

var doneMarker = []byte("[DONE]")

// Read implements llm.Reader.
func (r *reader) Read(f *wire.Frame) *llm.Delta {
	d := &r.delta
	*d = llm.Delta{Text: reused(d.Text), Refusal: reused(d.Refusal), ToolCalls: d.ToolCalls[:0]}
	r.edits = false
	if f.HasData || len(f.Event) > 0 {
		r.chunks++
	}
	event := bytes.TrimSpace(f.Event)
	switch data := bytes.TrimSpace(f.Data); {
	case string(event) == "error":
		r.fail(relay.FailedEvent, errErrorEvent)
	case len(data) == 0: // a comment, or nothing
		d.Kind = relay.Preamble
	case bytes.HasPrefix(data, doneMarker):
		r.end()
	default:
		r.data(f.Data, len(event) > 0 && string(event) != "message")
	}
	return d
}

// Pass implements llm.Reader: it replaces the names of the model where they stand. Data over several lines does not stand in
// the frame as it reads, so each name is looked up there.
func (r *reader) Pass(dst []byte, f *wire.Frame) []byte {
	if r.alias == nil || !r.edits {
		return replaced(dst, f, nil, nil)
	}
	return replaced(dst, f, r.envelope.models, r.alias)
}

// replaced appends a frame with what stands at some places in its data replaced. A large one in which nothing is, it returns as
// it stands.
func replaced(dst []byte, f *wire.Frame, places []rawjson.Span, by []byte) []byte {
	if len(places) == 0 && len(dst) == 0 && len(f.Raw) > relay.Retained {
		return f.Raw
	}
	at := 0
	for _, place := range places {
		begin := f.InRaw(place.Start)
		end := begin + place.End - place.Start
		if bytes.IndexByte(f.Data[place.Start:place.End], '\n') >= 0 { // it is over several lines, which a text is not
			end = f.InRaw(place.End-1) + 1
		}
		dst = append(append(dst, f.Raw[at:begin]...), by...)
		at = end
	}
	return append(dst, f.Raw[at:]...)
}

func reused(buffer []byte) []byte {
	if cap(buffer) > relay.Retained {
		return nil
	}
	return buffer[:0]
}

var (
	errErrorEvent  = errors.New("the upstream sent an event of the type error")
	errErrorMember = errors.New("the upstream reported an error")
	errNoChoice    = errors.New("the end came before any choice")
)

func (r *reader) fail(kind relay.FailureKind, err error) {
	r.delta.Kind = relay.Broken
	r.delta.Failure = relay.Failure{Kind: kind, Err: fmt.Errorf("chunk %d: %w", r.chunks, err)}
}

// end takes the mark of the end. What ends without a choice is not a completion, like a whole answer without one.
func (r *reader) end() {
	if !r.chosen {
		r.fail(relay.FailedMalformed, errNoChoice)
		return
	}
	r.delta.Kind = relay.Done
	r.delta.Text = r.heldText.flush(r.delta.Text)
	r.delta.Refusal = r.heldRefusal.flush(r.delta.Refusal)
}

// data reads an event. One of a type that the protocol does not have is a chunk where it has choices; anything else in it
// is between the upstream and its clients.
func (r *reader) data(data []byte, typed bool) {
	e := &r.envelope
	err := e.read(data)
	switch {
	case err != nil && (typed || errors.Is(err, rawjson.ErrNotObject)):
	case err != nil:
		r.fail(relay.FailedMalformed, err)
		return
	case states(e.failure.Of(e.doc)):
		r.fail(relay.FailedEvent, errErrorMember)
		return
	case !typed || e.choices.Found():
		r.chunk(e)
	}
	if r.content {
		r.delta.Kind = relay.Content
	}
}

func (r *reader) chunk(e *envelope) {
	r.edits = true
	if r.deep || !r.content {
		r.choices(e.choices.Of(e.doc))
	}
	if r.deep {
		r.delta.Usage = asUsage(e.usage.Of(e.doc))
		r.delta.Text = r.heldText.keep(r.delta.Text)
		r.delta.Refusal = r.heldRefusal.keep(r.delta.Refusal)
	}
}

// maxChoices bounds the choices of a chunk that are looked at: as many as OpenAI's API lets a request ask for.
const maxChoices = 128

func (r *reader) choices(list []byte) {
	if rawjson.IsNull(list) {
		return
	}
	_ = rawjson.ElementsSaid(list, func(i int, at rawjson.Span) { // it has been read once already; what is not a list has no choices
		if choice := at.Of(list); i < maxChoices && choice[0] == '{' {
			r.chosen = true
			r.choice(i, choice)
		}
	})
}

func (r *reader) choice(position int, choice []byte) {
	var given, index, reason, text rawjson.Span
	_ = rawjson.MembersSaid(choice, func(name []byte, value rawjson.Span) {
		switch string(name) {
		case "text": // of a completion that is no chat's
			text = value
		case "index":
			index = value
		case "delta":
			given = value
		case "finish_reason":
			reason = value
		}
	})
	first := r.deep && rawjson.Count(index.Of(choice), position) == 0
	if first {
		r.delta.FinishReason = saidWord(reason.Of(choice))
	}
	r.content = r.content || !empty(text.Of(choice))
	r.members(given.Of(choice), first)
}

// A delta of nothing but a role, or of empty members, is what servers send before the model has said anything.
func (r *reader) members(given []byte, first bool) {
	if rawjson.IsNull(given) {
		return
	}
	var s said
	_ = s.read(given) // what is not an object says nothing
	r.content = r.content || s.any
	if first {
		d := &r.delta
		d.Text = r.heldText.append(d.Text, s.content.Of(given))
		d.Refusal = r.heldRefusal.append(d.Refusal, s.refusal.Of(given))
		d.ToolCalls = appendToolCalls(d.ToolCalls, s.calls.Of(given))
	}
}

// said is where the members of a message, or of a part of one, lie that the gateway itself uses.
type said struct {
	content, refusal, calls rawjson.Span
	any                     bool // member but the role is there, and not empty
}

// read finds them. The error says that the message is not an object.
func (s *said) read(message []byte) error {
	return rawjson.MembersSaid(message, func(name []byte, at rawjson.Span) {
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
		s.any = s.any || !empty(at.Of(message))
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
	if rawjson.HighHalf(text) {
		*h = append((*h)[:0], text[len(text)-rawjson.HalfBytes:]...)
		text = text[:len(text)-rawjson.HalfBytes]
	}
	return rawjson.Settle(text)
}

func (h *held) flush(dst []byte) []byte {
	if len(*h) == 0 {
		return dst
	}
	*h = (*h)[:0]
	return append(dst, rawjson.Replacement...)
}

// appendToolCalls reads tool calls, or parts of them. It stops beyond llm.MaxToolCalls, which nobody keeps.
func appendToolCalls(dst []llm.ToolCallDelta, list []byte) []llm.ToolCallDelta {
	if rawjson.IsNull(list) {
		return dst
	}
	err := rawjson.ElementsSaid(list, func(_ int, at rawjson.Span) {
		if len(dst) <= llm.MaxToolCalls {
			dst = appendToolCall(dst, at.Of(list))
		}
	})
	if errors.Is(err, rawjson.ErrNotArray) { // one alone
		dst = appendToolCall(dst, list)
	}
	return dst
}

// appendToolCall reads a tool call, or a part of one: both have the same members.
func appendToolCall(dst []llm.ToolCallDelta, call []byte) []llm.ToolCallDelta {
	part := llm.ToolCallDelta{Index: -1}
	err := rawjson.MembersSaid(call, func(name []byte, at rawjson.Span) {
		switch value := at.Of(call); string(name) {
		case "index":
			part.Index = rawjson.Count(value, -1)
		case "id":
			part.ID = saidWord(value)
		case "function":
			readFunction(&part, value)
		}
	})
	if err != nil { // it is not an object
		return dst
	}
	return append(dst, part)
}

func readFunction(c *llm.ToolCallDelta, object []byte) {
	_ = rawjson.MembersSaid(object, func(name []byte, at rawjson.Span) {
		switch value := at.Of(object); string(name) {
		case "name":
			c.Name = saidWord(value)
		case "arguments":
			c.Arguments = appendArguments(nil, value)
		}
	})
}
