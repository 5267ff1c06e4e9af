package mockllm

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
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
	n, err := out.w.Write(b)
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

// stream sends a reply as chunks.
func (r *reply) stream(ctx context.Context, out *sender) error {
	out.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	out.w.Header().Set("Cache-Control", "no-cache")
	out.w.WriteHeader(http.StatusOK)
	f := newFrames(r)
	role := f.choice(`{"role":"assistant","content":`+r.opening()+`,"refusal":null}`, "null")
	if err := out.flushed(role, r.script.SplitBytes); err != nil {
		return err
	}
	if err := out.tokens(ctx, r, f); err != nil {
		return err
	}
	return out.ending(r, f)
}

func (r *reply) streamsUsage() bool { return r.request.StreamOptions.IncludeUsage && !r.script.NoUsage }

// opening is the content of the role's chunk, as JSON: null where none follows.
func (r *reply) opening() string {
	if r.words == 0 && len(r.calls) > 0 {
		return "null"
	}
	return `""`
}

// tokens sends the tokens at their times, and the fault at its place.
func (out *sender) tokens(ctx context.Context, rep *reply, f *frames) error {
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

func (out *sender) fault(ctx context.Context, rep *reply, f *frames) error {
	switch rep.script.Fault {
	case FaultSilence:
		return hang(ctx)
	case FaultTruncate:
		return errAbort
	case FaultTruncateMidFrame:
		frame := f.choice(`{"content":"cut"}`, "null")
		if err := out.flushed(frame[:len(frame)/2], rep.script.SplitBytes); err != nil {
			return err
		}
		return errAbort
	case FaultEndEarly:
		return errEnd
	case FaultGarbage:
		return out.flushed(f.event("{not JSON, from "+ErrorDetail), rep.script.SplitBytes)
	case FaultGiantFrame:
		return out.flushed(f.choice(`{"content":`+string(rep.giant())+`}`, "null"), rep.script.SplitBytes)
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
func (out *sender) ending(rep *reply, f *frames) error {
	last := [][]byte{f.choice("{}", string(quote(rep.finish)))}
	if rep.streamsUsage() {
		u, err := json.Marshal(rep.usage())
		if err != nil {
			return err
		}
		last = append(last, f.event(rep.head("chat.completion.chunk")+`,"choices":[],"usage":`+string(u)+`}`))
	}
	for _, frame := range append(last, f.event("[DONE]")) {
		if err := out.flushed(frame, rep.script.SplitBytes); err != nil {
			return err
		}
	}
	return nil
}

// frames builds the frames of one stream. Those of tokens, of which there are
// many, share one buffer and what stands around them.
type frames struct {
	eol           string
	before, after []byte // of a choice's delta
	usage         string
	buf           []byte
}

func newFrames(rep *reply) *frames {
	f := &frames{eol: "\n"}
	if rep.script.CRLF {
		f.eol = "\r\n"
	}
	if rep.streamsUsage() {
		f.usage = `,"usage":null` // OpenAI's chunks announce the last one's so
	}
	f.before = []byte("data: " + rep.head("chat.completion.chunk") + `,"choices":[{"index":0,"delta":`)
	f.after = []byte(`,"logprobs":null,"finish_reason":null}]` + f.usage + `}` + f.eol + f.eol)
	return f
}

// event returns a frame with data, which is one line.
func (f *frames) event(data string) []byte {
	return []byte("data: " + data + f.eol + f.eol)
}

// choice returns a frame with a delta and a finish reason, both JSON.
func (f *frames) choice(delta, finish string) []byte {
	after := bytes.Replace(f.after, []byte(`"finish_reason":null`), []byte(`"finish_reason":`+finish), 1)
	return append(append(bytes.Clone(f.before), delta...), after...)
}

// token returns the frame of token i, valid until the next.
func (f *frames) token(rep *reply, i int) []byte {
	if i >= rep.words {
		return f.choice(rep.calls[i-rep.words].delta(), "null")
	}
	f.buf = append(append(f.buf[:0], f.before...), `{"content":`...)
	f.buf = rep.appendToken(f.buf, i)
	f.buf = append(append(f.buf, '}'), f.after...)
	return f.buf
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
