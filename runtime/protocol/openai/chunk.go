package openai

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// reader reads the events of one stream, as the official SDKs read them: it skips what it does not understand.
type reader struct {
	// deep reads the contents of deltas; otherwise a delta is only checked for being empty, until the first that is not.
	deep    bool
	content bool // some has come
	chosen  bool // a choice has come
	chunks  int  // events with data or a type
	// heldText and heldRefusal are the halves with which the text ended so far, and which are kept back.
	heldText, heldRefusal held
	envelope              envelope
	delta                 llm.Delta
	// chunk means that the frame is a chunk, in which the model's names may be replaced.
	chunk bool
	edits []rawjson.Edit
	alias []byte // quoted; nil for none
	// hideUsage is that of ReaderOptions.
	hideUsage bool
}

// held is the first half of a surrogate pair that ended a text, until the next text comes; empty if there is none.
type held []byte

var doneMarker = []byte("[DONE]")

// Read implements llm.Reader.
func (r *reader) Read(f *wire.Frame) *llm.Delta {
	d := &r.delta
	*d = llm.Delta{Text: reused(d.Text), Refusal: reused(d.Refusal), ToolCalls: d.ToolCalls[:0]}
	r.chunk = false
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

// Pass implements llm.Reader: it replaces the names of the model in place, and removes a usage that is null. Data over several
// lines differs from the frame's bytes, so each place is looked up in the frame.
func (r *reader) Pass(dst []byte, f *wire.Frame) []byte {
	r.edits = r.edits[:0]
	if r.chunk {
		r.edits = r.envelope.edits(r.edits, r.alias, llm.Place{})
	}
	if r.chunk && r.hideUsage {
		r.withoutNull()
	}
	return replaced(dst, f, r.edits)
}

// withoutNull adds the edit that removes a usage that is null.
func (r *reader) withoutNull() {
	if at := r.envelope.noUsage(); at.Found() {
		r.edits = append(r.edits, rawjson.Edit{At: at})
		slices.SortFunc(r.edits, func(a, b rawjson.Edit) int { return a.At.Start - b.At.Start })
	}
}

// replaced appends a frame with its data edited. It returns a large one without edits as it is.
func replaced(dst []byte, f *wire.Frame, edits []rawjson.Edit) []byte {
	if len(edits) == 0 && len(dst) == 0 && len(f.Raw) > relay.Retained {
		return f.Raw
	}
	at := 0
	for _, edit := range edits {
		place := edit.At
		begin := f.InRaw(place.Start)
		end := begin + place.End - place.Start
		if bytes.IndexByte(f.Data[place.Start:place.End], '\n') >= 0 { // it is over several lines, which a JSON text cannot be
			end = f.InRaw(place.End-1) + 1
		}
		dst = append(append(dst, f.Raw[at:begin]...), edit.By...)
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

// end handles the mark of the end. A stream without a choice is not a completion, like a whole answer without one.
func (r *reader) end() {
	if !r.chosen {
		r.fail(relay.FailedMalformed, errNoChoice)
		return
	}
	r.delta.Kind = relay.Done
	r.delta.Text = r.heldText.flush(r.delta.Text)
	r.delta.Refusal = r.heldRefusal.flush(r.delta.Refusal)
}

// data reads an event. One whose type the protocol does not have is a chunk if it has choices; otherwise it is between the
// upstream and its clients.
func (r *reader) data(data []byte, typed bool) {
	e := &r.envelope
	err := e.readPart(data, r.looked(), "delta")
	switch {
	case err != nil && (typed || errors.Is(err, rawjson.ErrNotObject)):
	case err != nil:
		r.fail(relay.FailedMalformed, err)
		return
	case states(e.failure.Of(e.doc)):
		r.fail(relay.FailedEvent, errErrorMember)
		return
	case !typed || e.choices.Found():
		r.take(e)
	}
	if r.content {
		r.delta.Kind = relay.Content
	}
}

// maxChoices bounds the choices of a chunk that are looked at: as many as OpenAI's API lets a request ask for.
const maxChoices = 128

// looked is how many choices of a chunk have to be looked at.
func (r *reader) looked() int {
	if r.content && !r.deep {
		return 0
	}
	return maxChoices
}

func (r *reader) take(e *envelope) {
	r.chunk = true
	for i := range e.given {
		if c := &e.given[i]; c.position < maxChoices {
			r.chosen = true
			r.content = r.content || c.any || !empty(c.text.Of(e.doc))
			r.choice(e, c)
		}
	}
	r.usage(e)
	if r.deep {
		r.delta.Text = r.heldText.keep(r.delta.Text)
		r.delta.Refusal = r.heldRefusal.keep(r.delta.Refusal)
	}
}

// usage reads the usage; nothing is copied if nobody keeps it.
func (r *reader) usage(e *envelope) {
	usage := e.usage.Of(e.doc)
	if jsontext.Value(usage).Kind() != '{' {
		return
	}
	r.delta.OnlyUsage = len(bytes.Trim(e.choices.Of(e.doc), "[] \t\r\n")) == 0 || rawjson.IsNull(e.choices.Of(e.doc))
	if r.delta.Usage = usage; r.deep {
		r.delta.Usage = asUsage(usage)
	}
}

func (r *reader) choice(e *envelope, c *choice) {
	if !r.deep || rawjson.Count(c.index.Of(e.doc), c.position) != 0 {
		return
	}
	d := &r.delta
	d.FinishReason = saidWord(c.reason.Of(e.doc))
	d.Text = r.heldText.append(d.Text, c.content.Of(e.doc))
	d.Refusal = r.heldRefusal.append(d.Refusal, c.refusal.Of(e.doc))
	d.ToolCalls = e.appendCalls(d.ToolCalls, c)
}

// append appends the text of a value to the half that was kept back, which stays held if the value has none.
func (h *held) append(dst, value []byte) []byte {
	if len(*h) == 0 || empty(value) {
		return appendSaid(dst, value)
	}
	dst = append(dst, *h...)
	*h = (*h)[:0]
	return appendSaid(dst, value)
}

// keep takes away a half that ends the text; any other half has lost its partner.
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
