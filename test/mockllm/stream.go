package mockllm

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// sender writes one response and accounts for its bytes.
type sender struct {
	*http.ResponseController
	w    http.ResponseWriter
	rec  *Recorder
	call *call
}

func (out *sender) write(b []byte) error {
	n, err := out.w.Write(b) //nolint:gosec // G705: no browser reads it, and what it repeats is quoted as JSON.
	out.rec.sent(out.call, n)
	return err
}

// flushed writes b in pieces of size bytes (0: in one) and flushes each, so
// that each may reach the client alone.
func (out *sender) flushed(b []byte, size int) error {
	if size == 0 {
		size = len(b)
	}
	for len(b) > 0 {
		n := min(size, len(b))
		if err := out.write(b[:n]); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// frames are what a stream consists of, in the form of one API.
type frames interface {
	begin() []byte
	// token is the frame of token i, valid until the next.
	token(r *reply, i int) []byte
	// more is one that says a text, which is a JSON string.
	more(text []byte) []byte
	// event is one with data, which is one line.
	event(data string) []byte
	// end are those after the last token.
	end() ([][]byte, error)
}

// stream sends a reply in frames.
func (r *reply) stream(ctx context.Context, out *sender, f frames) error {
	out.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	out.w.Header().Set("Cache-Control", "no-cache")
	out.w.WriteHeader(http.StatusOK)
	if err := out.flushed(f.begin(), r.script.SplitBytes); err != nil {
		return err
	}
	if err := out.tokens(ctx, r, f); err != nil {
		return err
	}
	return out.ending(r, f)
}

func (r *reply) streamsUsage() bool { return r.request.StreamOptions.IncludeUsage && !r.script.NoUsage }

// opening is the content of the role's chunk, as JSON: null if none follows.
func (r *reply) opening() string {
	if r.words == 0 && len(r.calls) > 0 {
		return "null"
	}
	return `""`
}

// tokens sends the tokens at their times, and the fault at its place.
func (out *sender) tokens(ctx context.Context, rep *reply, f frames) error {
	p := newPacer()
	defer p.stop()
	for i := range rep.count + 1 {
		if rep.script.Fault != FaultNone && i == rep.faultAt() {
			if err := out.fault(ctx, rep, f); err != nil {
				return err
			}
		}
		if i == rep.count {
			break
		}
		if err := p.wait(ctx, rep.due(i)); err != nil {
			return err
		}
		if err := out.flushed(f.token(rep, i), rep.script.SplitBytes); err != nil {
			return err
		}
		out.rec.sentTokens(out.call, 1)
	}
	return nil
}

func (out *sender) fault(ctx context.Context, rep *reply, f frames) error {
	switch rep.script.Fault {
	case FaultSilence:
		return hang(ctx)
	case FaultTruncate:
		return errAbort
	case FaultTruncateMidFrame:
		frame := f.more([]byte(`"cut"`))
		if err := out.flushed(frame[:len(frame)/2], rep.script.SplitBytes); err != nil {
			return err
		}
		return errAbort
	case FaultEndEarly:
		return errEnd
	case FaultGarbage:
		return out.flushed(f.event("{not JSON, from "+ErrorDetail), rep.script.SplitBytes)
	case FaultGiantFrame:
		return out.flushed(f.more(rep.giant()), rep.script.SplitBytes)
	case FaultErrorEvent:
		body, err := json.Marshal(scriptedError(http.StatusInternalServerError))
		if err != nil {
			return err
		}
		if err := out.flushed(f.event(string(body)), rep.script.SplitBytes); err != nil {
			return err
		}
		return errEnd
	default: // before the reply, or none
		return nil
	}
}

// ending sends what follows the last token.
func (out *sender) ending(rep *reply, f frames) error {
	last, err := f.end()
	if err != nil {
		return err
	}
	for _, frame := range last {
		if err := out.flushed(frame, rep.script.SplitBytes); err != nil {
			return err
		}
	}
	return nil
}

func (r *reply) eol() string {
	if r.script.CRLF {
		return "\r\n"
	}
	return "\n"
}

// wording is where a choice of a chunk has its text.
type wording struct {
	object        string // the chunks' own
	opening       string // a choice's members in the first chunk; empty: there is none
	before, after string // what stands around a text
	empty         string // a choice's members in the last chunk
}

// chunks builds the frames of chat completions and of completions. Those of tokens, of which there are many, share one buffer and
// what stands around them.
type chunks struct {
	rep           *reply
	wording       wording
	head          string
	before, after []byte // of a text
	buf           []byte
}

func newChunks(rep *reply, w wording) *chunks {
	c := &chunks{rep: rep, wording: w, head: "data: " + rep.head(w.object) + `,"choices":[`}
	c.before = []byte(c.head + `{"index":0,` + w.before)
	c.after = []byte(w.after + c.tail("null"))
	return c
}

// tail is what follows a choice's own members; the finish reason is JSON.
func (c *chunks) tail(finish string) string {
	usage := ""
	if c.rep.streamsUsage() {
		usage = `,"usage":null` // OpenAI's chunks announce the last one's so
	}
	return `,"logprobs":null,"finish_reason":` + finish + `}]` + usage + `}` + c.rep.eol() + c.rep.eol()
}

// choice is a frame with a choice's own members and a finish reason, both JSON.
func (c *chunks) choice(members, finish string) []byte {
	return []byte(c.head + `{"index":0,` + members + c.tail(finish))
}

func (c *chunks) begin() []byte {
	if c.wording.opening == "" {
		return nil
	}
	return c.choice(c.wording.opening, "null")
}

func (c *chunks) event(data string) []byte {
	return []byte("data: " + data + c.rep.eol() + c.rep.eol())
}

func (c *chunks) more(text []byte) []byte { return slices.Concat(c.before, text, c.after) }

func (c *chunks) token(rep *reply, i int) []byte {
	if i >= rep.words {
		return c.choice(`"delta":`+rep.calls[i-rep.words].delta(), "null")
	}
	c.buf = rep.appendToken(append(c.buf[:0], c.before...), i)
	c.buf = append(c.buf, c.after...)
	return c.buf
}

func (c *chunks) end() ([][]byte, error) {
	last := [][]byte{c.choice(c.wording.empty, string(quote(c.rep.finish)))}
	if c.rep.streamsUsage() {
		u, err := json.Marshal(c.rep.usage())
		if err != nil {
			return nil, err
		}
		last = append(last, []byte(c.head+`],"usage":`+string(u)+`}`+c.rep.eol()+c.rep.eol()))
	}
	return append(last, c.event("[DONE]")), nil
}

// pacer waits for points in time after its own beginning. What comes late
// does not delay what follows.
type pacer struct {
	start time.Time
	timer *time.Timer
}

func newPacer() *pacer { return &pacer{start: time.Now()} }

// wait returns when due has passed since the pacer was made, or, with the
// cause, when ctx ends.
func (p *pacer) wait(ctx context.Context, due time.Duration) error {
	left := due - time.Since(p.start)
	if due == 0 || left <= 0 {
		return context.Cause(ctx)
	}
	if p.timer == nil {
		p.timer = time.NewTimer(left)
	} else {
		p.timer.Reset(left)
	}
	select {
	case <-p.timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pacer) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
