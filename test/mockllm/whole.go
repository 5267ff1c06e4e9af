package mockllm

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// document is an answer of one piece.
type document struct {
	script Script
	status int // 0 is 200
	body   []byte
	tokens int
	due    time.Duration // from the request's arrival
}

// document sends d when it is due, or what the script's fault makes of it.
func (out *sender) document(ctx context.Context, d document) error {
	p := newPacer()
	defer p.stop()
	if err := p.wait(ctx, d.due); err != nil {
		return err
	}
	body, err := d.spoilt()
	if err != nil {
		return err
	}
	out.w.Header().Set("Content-Type", "application/json")
	if d.script.Fault != FaultEndEarly && len(body) > 0 {
		out.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	out.w.WriteHeader(cmp.Or(d.status, http.StatusOK))
	if err := out.wholeFault(ctx, d.script.Fault, body); err != nil {
		return err
	}
	if err := out.write(body); err != nil {
		return err
	}
	out.rec.sentTokens(out.call, d.tokens)
	return nil
}

// spoilt is the body where the fault lies in what it says.
func (d document) spoilt() ([]byte, error) {
	switch d.script.Fault {
	case FaultGarbage:
		return []byte("{not JSON, from " + ErrorDetail), nil
	case FaultErrorEvent:
		return json.Marshal(scriptedError(http.StatusInternalServerError))
	default: // in how it ends, in the reply itself, before it, or none
		return d.body, nil
	}
}

// wholeFault sends half of the body where the fault lies in how it ends.
func (out *sender) wholeFault(ctx context.Context, fault Fault, body []byte) error {
	half := func() error { return out.flushed(body[:len(body)/2], 0) }
	switch fault {
	case FaultSilence:
		if err := half(); err != nil {
			return err
		}
		return hang(ctx)
	case FaultTruncate, FaultTruncateMidFrame:
		return cmp.Or(half(), errAbort)
	case FaultEndEarly:
		return cmp.Or(half(), errEnd)
	default: // in the body itself, before the reply, or none
		return nil
	}
}

// wholeText is all of the text, as JSON.
func (r *reply) wholeText() []byte {
	if r.script.Fault == FaultGiantFrame {
		return r.giant()
	}
	return quote(r.text())
}

// message is the whole answer's, as JSON.
func (r *reply) message() string {
	text, calls := r.wholeText(), ""
	if len(r.calls) > 0 {
		calls = `,"tool_calls":` + toolCalls(r.calls)
		if r.words == 0 && r.script.Fault != FaultGiantFrame {
			text = []byte("null")
		}
	}
	return `{"role":"assistant","content":` + string(text) + `,"refusal":null` + calls + `}`
}

// body is the whole answer: an object with one choice, whose own members are JSON.
func (r *reply) body(kind, members string) ([]byte, error) {
	usage, err := r.wholeUsage()
	if err != nil {
		return nil, err
	}
	choice := `{"index":0,` + members + `,"logprobs":null,"finish_reason":` + string(quote(r.finish)) + `}`
	return []byte(r.head(kind) + `,"choices":[` + choice + `]` + usage + `}`), nil
}

func (r *reply) wholeUsage() (string, error) {
	if r.script.NoUsage {
		return "", nil
	}
	u, err := json.Marshal(r.usage())
	return `,"usage":` + string(u), err
}
