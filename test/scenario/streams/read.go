package streams

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// silence is how long a stream may send nothing. A client that waits for ever would count a cut stream as open.
const silence = 30 * time.Second

// maxLine bounds one line of a stream, in bytes.
const maxLine = 1 << 20

var (
	errSilent = fmt.Errorf("nothing came for %s", silence)
	errShort  = errors.New("the connection ended without [DONE]")
)

// Stream makes a call and reads its events to their end. onToken, where set, is called with each token's text as soon
// as it has arrived; the result says how it ended.
func Stream(ctx context.Context, client *http.Client, call Call, onToken func(text string)) Result {
	started := time.Now()
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watchdog.Stop()

	r := &reader{started: started, onToken: onToken, alive: func() { watchdog.Reset(silence) }}
	r.run(own, client, call)
	r.result.Took = time.Since(started)
	if r.result.Ending != Done && ctx.Err() != nil {
		r.result.Ending = Left
	}
	if r.result.Err != nil && errors.Is(context.Cause(own), errSilent) {
		r.result.Err = errSilent
	}
	return r.result
}

type reader struct {
	started time.Time
	onToken func(string)
	alive   func()
	result  Result
	text    strings.Builder
}

func (r *reader) end(e Ending, err error) {
	r.result.Ending, r.result.Err = e, err
	r.result.Text = r.text.String()
}

func (r *reader) run(ctx context.Context, client *http.Client, call Call) {
	req, err := call.request(ctx)
	if err != nil {
		r.end(Refused, err)
		return
	}
	res, err := client.Do(req)
	if err != nil {
		r.end(Refused, err)
		return
	}
	defer res.Body.Close()
	r.result.Status = res.StatusCode
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode != http.StatusOK || err != nil || media != "text/event-stream" {
		r.end(Refused, fmt.Errorf("answered %s, %s", res.Status, res.Header.Get("Content-Type")))
		return
	}
	r.events(res.Body)
	if r.result.Ending == Done && call.Want != "" && r.result.Text != call.Want {
		r.result.Ending = Cut
		r.result.Err = fmt.Errorf("ended as done, but its %d tokens are not those that were produced", r.result.Tokens)
	}
}

func (r *reader) events(body io.Reader) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		r.alive()
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		if ended := r.event(strings.TrimPrefix(data, " ")); ended {
			return
		}
	}
	if err := lines.Err(); err != nil {
		r.end(Cut, err)
		return
	}
	r.end(Cut, errShort)
}

// chunk is the part of an event that is judged. An error event has no choices and says why, in OpenAI's form or in
// FastAPI's.
type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
	Error  json.RawMessage `json:"error"`
	Detail json.RawMessage `json:"detail"`
}

func (r *reader) event(data string) (ended bool) {
	if data == "[DONE]" {
		r.end(Done, nil)
		return true
	}
	var c chunk
	if err := json.Unmarshal([]byte(data), &c); err != nil {
		r.end(Cut, fmt.Errorf("an event is not JSON: %w", err))
		return true
	}
	if len(c.Error) > 0 || len(c.Detail) > 0 {
		r.end(Failed, fmt.Errorf("error event %s%s", c.Error, c.Detail))
		return true
	}
	for _, choice := range c.Choices {
		r.token(choice.Delta.Content)
	}
	return false
}

func (r *reader) token(text string) {
	if text == "" {
		return
	}
	if r.result.Tokens == 0 {
		r.result.First = time.Since(r.started)
	}
	r.result.Tokens++
	r.text.WriteString(text)
	if r.onToken != nil {
		r.onToken(text)
	}
}
