package mockllm

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// whole sends a reply as one object, after the time its tokens would take.
func (out *sender) whole(ctx context.Context, rep *reply) error {
	p := newPacer()
	defer p.stop()
	due := time.Duration(rep.script.FirstTokenDelay) + time.Duration(max(rep.count-1, 0))*time.Duration(rep.script.TokenDelay)
	if err := p.wait(ctx, due); err != nil {
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
	switch fault {
	case FaultSilence, FaultTruncate, FaultTruncateMidFrame, FaultEndEarly:
	default:
		return nil
	}
	if err := out.flushed(body[:len(body)/2], 0); err != nil {
		return err
	}
	switch fault {
	case FaultSilence:
		return hang(ctx)
	case FaultEndEarly:
		return errEnd
	}
	return errAbort
}

// body is the whole answer, or what the fault makes of it.
func (r *reply) body() ([]byte, error) {
	switch r.script.Fault {
	case FaultGarbage:
		return []byte("{not JSON, from " + ErrorDetail), nil
	case FaultErrorEvent:
		return json.Marshal(scriptedError(http.StatusInternalServerError))
	}
	text := quote(r.text())
	if r.script.Fault == FaultGiantFrame {
		text = r.giant()
	}
	u, err := json.Marshal(r.usage())
	if err != nil {
		return nil, err
	}
	body := r.head("chat.completion") + `,"choices":[{"index":0,"message":{"role":"assistant","content":` + string(text) +
		`,"refusal":null},"logprobs":null,"finish_reason":` + string(quote(r.script.FinishReason)) + `}],"usage":` + string(u) + `}`
	return []byte(body), nil
}
