package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// upstreamFunc answers one call.
type upstreamFunc func(c *asked) canned

// asked is a call of an upstream, and its result.
type asked struct {
	*upstream.Call

	upstream string
	n        int // counts the upstream's calls from 1
	// began and ended are times since the world's beginning.
	began, ended time.Duration
	over         bool
	// cut is the kind of failure with which the call's context ended; "" if the call came to its own end.
	cut string

	body struct {
		Stream        bool             `json:"stream"`
		StreamOptions map[string]any   `json:"stream_options"`
		Model         string           `json:"model"`
		MaxTokens     int              `json:"max_tokens"`
		Temperature   float64          `json:"temperature"`
		Messages      []map[string]any `json:"messages"`
		Tools         []map[string]any `json:"tools"`
		Format        map[string]any   `json:"response_format"`
		Input         []string         `json:"input"`
	}
}

// last is the content of the last message.
func (c *asked) last() string {
	text, _ := c.body.Messages[len(c.body.Messages)-1]["content"].(string)
	return text
}

// canned is a scripted upstream's answer.
type canned struct {
	after  time.Duration // before the head of the answer
	status int           // 0 is 200
	header http.Header
	parts  []part
	err    error // in place of an answer
	hang   bool  // after the parts
}

// part is a piece of the body.
type part struct {
	after time.Duration
	text  string
	deaf  bool // comes although the context has ended, like bytes that a connection has read before
}

func (a canned) in(d time.Duration) canned {
	a.after = d
	return a
}

func (a canned) hangs() canned {
	a.hang = true
	return a
}

// bodyOf answers with a body of a media type.
func bodyOf(status int, media, body string) canned {
	return canned{status: status, header: http.Header{"Content-Type": {media}}, parts: []part{{text: body}}}
}

func jsonOf(status int, body string) canned { return bodyOf(status, "application/json", body) }

const (
	usageJSON = `{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}`
	doneEvent = "data: [DONE]\n\n"
)

// says answers as a model does: whole, or as a stream of these pieces, a pace apart.
func says(c *asked, pace time.Duration, pieces ...string) canned {
	if !c.body.Stream {
		text, _ := json.Marshal(strings.Join(pieces, ""))
		return jsonOf(200, `{"choices":[{"message":{"role":"assistant","content":`+string(text)+
			`},"finish_reason":"stop"}],"usage":`+usageJSON+`}`)
	}
	a := streams(c, nil)
	for i, piece := range pieces {
		p := part{text: chunkOf(c, piece)}
		if i > 0 {
			p.after = pace
		}
		a.parts = append(a.parts, p)
	}
	return a.ends(c, "stop")
}

// streams answers with an event stream, which begins with the role.
func streams(c *asked, parts []part) canned {
	first := part{text: `data: {"model":"` + c.body.Model + `","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n"}
	return canned{header: http.Header{"Content-Type": {"text/event-stream"}}, parts: append([]part{first}, parts...)}
}

func (a canned) ends(c *asked, reason string) canned {
	end := `data: {"model":"` + c.body.Model + `","choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}` + "\n\n"
	if c.body.StreamOptions["include_usage"] == true {
		end += `data: {"model":"` + c.body.Model + `","choices":[],"usage":` + usageJSON + "}\n\n"
	}
	a.parts = append(a.parts, part{text: end + doneEvent})
	return a
}

func chunkOf(c *asked, text string) string {
	quoted, _ := json.Marshal(text)
	return `data: {"model":"` + c.body.Model + `","choices":[{"index":0,"delta":{"content":` + string(quoted) + `}}]}` + "\n\n"
}

// toolCall is a call that a model makes.
type toolCall struct{ id, name, arguments string }

// calls answers with text and tool calls.
func calls(c *asked, text string, all ...toolCall) canned {
	list := make([]string, len(all))
	for i, t := range all {
		arguments, _ := json.Marshal(t.arguments)
		list[i] = fmt.Sprintf(`{"index":%d,"id":%q,"type":"function","function":{"name":%q,"arguments":%s}}`, i, t.id, t.name, arguments)
	}
	joined := strings.Join(list, ",")
	if !c.body.Stream {
		return jsonOf(200, fmt.Sprintf(`{"choices":[{"message":{"role":"assistant","content":%q,"tool_calls":[%s]},"finish_reason":"tool_calls"}],"usage":%s}`,
			text, joined, usageJSON))
	}
	a := streams(c, nil)
	if text != "" {
		a.parts = append(a.parts, part{text: chunkOf(c, text)})
	}
	a.parts = append(a.parts, part{text: `data: {"choices":[{"index":0,"delta":{"tool_calls":[` + joined + `]}}]}` + "\n\n"})
	return a.ends(c, "tool_calls")
}

// always gives each call the same answer.
func always(pieces ...string) upstreamFunc {
	return func(c *asked) canned { return says(c, 0, pieces...) }
}

// slow answers whole after a time.
func slow(d time.Duration, pieces ...string) upstreamFunc {
	return func(c *asked) canned { return says(c, 0, pieces...).in(d) }
}

// fails answers with a status, and words that nobody may see.
func fails(status int) upstreamFunc {
	return func(*asked) canned { return jsonOf(status, `{"error":{"message":"`+upstreamMarker+`"}}`) }
}

func hangs(*asked) canned { return canned{hang: true, after: time.Hour} }

// upstreamMarker is in all texts of upstreams about their faults.
const upstreamMarker = "MARK-UPSTREAM"

// scripted implements upstream.Doer without a network.
type scripted struct {
	began  time.Time
	script map[string]upstreamFunc

	mu    sync.Mutex
	calls []*asked
	open  int
	peak  int
}

var errNoScript = errors.New("connection refused")

// Do implements upstream.Doer.
func (s *scripted) Do(ctx context.Context, call *upstream.Call) (*upstream.Answer, error) {
	c, reply := s.begin(call)
	end := sync.OnceFunc(func() { s.end(ctx, c) })
	if reply.err != nil {
		end()
		return nil, reply.err
	}
	if err := pause(ctx, reply.after); err != nil {
		end()
		return nil, err
	}
	if reply.status == 0 {
		reply.status = 200
	}
	body := &scriptedBody{ctx: ctx, parts: slices.Clone(reply.parts), hang: reply.hang, end: end}
	answer := &upstream.Answer{Status: reply.status, Header: reply.header, Body: body}
	if len(reply.parts) == 1 && !reply.hang {
		answer.Length = int64(len(reply.parts[0].text))
	}
	return answer, nil
}

func (s *scripted) begin(call *upstream.Call) (*asked, canned) {
	u, _ := url.Parse(call.URL)
	name, _, _ := strings.Cut(u.Host, ".")
	c := &asked{Call: call, upstream: name, n: 1}
	_ = json.Unmarshal(call.Body.Joined(), &c.body) // that of an http step may be anything
	s.mu.Lock()
	c.began = time.Since(s.began)
	for _, earlier := range s.calls {
		if earlier.upstream == name {
			c.n++
		}
	}
	s.calls = append(s.calls, c)
	s.open++
	s.peak = max(s.peak, s.open)
	s.mu.Unlock()
	f, ok := s.script[name]
	if !ok {
		return c, canned{err: errNoScript}
	}
	return c, f(c)
}

func (s *scripted) end(ctx context.Context, c *asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	c.ended, c.over = time.Since(s.began), true
	if ctx.Err() != nil {
		c.cut = "canceled"
		if f, ok := errors.AsType[relay.Failure](context.Cause(ctx)); ok {
			c.cut = string(f.Kind)
		}
	}
}

// of lists the calls of an upstream; "" lists all.
func (s *scripted) of(upstream string) []*asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*asked
	for _, c := range s.calls {
		if upstream == "" || c.upstream == upstream {
			found = append(found, c)
		}
	}
	return found
}

// pause waits, but no longer than the context, even for no time at all.
func pause(ctx context.Context, d time.Duration) error {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// scriptedBody returns a part with each read.
type scriptedBody struct {
	ctx   context.Context
	parts []part
	hang  bool
	end   func()
}

func (b *scriptedBody) Read(p []byte) (int, error) {
	if len(b.parts) == 0 {
		if b.hang {
			return 0, pause(b.ctx, time.Hour)
		}
		return 0, io.EOF
	}
	if b.parts[0].deaf {
		<-time.After(b.parts[0].after) // no matter what becomes of the request
	} else if err := pause(b.ctx, b.parts[0].after); err != nil {
		return 0, err
	}
	b.parts[0].after = 0
	n := copy(p, b.parts[0].text)
	if b.parts[0].text = b.parts[0].text[n:]; b.parts[0].text == "" {
		b.parts = b.parts[1:]
	}
	return n, nil
}

func (b *scriptedBody) Close() error {
	b.end()
	return nil
}
