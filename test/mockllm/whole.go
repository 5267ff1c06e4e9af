package mockllm

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
)

// whole sends a reply as one object, after the time its tokens would take.
func (out *sender) whole(ctx context.Context, rep *reply) error {
	p := newPacer()
	defer p.stop()
	if err := p.wait(ctx, rep.due(max(rep.count-1, 0))); err != nil {
		return err
	}
	body, err := rep.body()
	if err != nil {
		return err
	}
	out.w.Header().Set("Content-Type", "application/json")
	if rep.script.Fault != FaultEndEarly {
		out.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	if err := out.wholeFault(ctx, rep.script.Fault, body); err != nil {
		return err
	}
	if err := out.write(body); err != nil {
		return err
	}
	out.rec.sentTokens(out.call, rep.count)
	return nil
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

// body is the whole answer, or what the fault makes of it.
func (r *reply) body() ([]byte, error) {
	switch r.script.Fault {
	case FaultGarbage:
		return []byte("{not JSON, from " + ErrorDetail), nil
	case FaultErrorEvent:
		return json.Marshal(scriptedError(http.StatusInternalServerError))
	default: // in how the body ends, before it, or none
	}
	text := quote(r.text())
	if r.script.Fault == FaultGiantFrame {
		text = r.giant()
	}
	u, err := json.Marshal(r.usage())
	if err != nil {
		return nil, err
	}
	return []byte(r.head("chat.completion") +
		`,"choices":[{"index":0,"message":{"role":"assistant","content":` + string(text) + `,"refusal":null},` +
		`"logprobs":null,"finish_reason":` + string(quote(r.script.FinishReason)) + `}],"usage":` + string(u) + `}`), nil
}
