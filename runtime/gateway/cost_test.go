package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
)

// What a request costs is measured over real connections, with a client and an upstream that allocate nothing themselves, so that
// what is counted is the gateway's: engine, policy and client of upstreams.

// priced is a gateway with one model and typed routes with schemas and templates, in front of an upstream that answers at once,
// or, where it is asked for a stream, with an event for each tick.
func priced(t testing.TB) (address string, tick chan struct{}) {
	t.Helper()
	tick = make(chan struct{})
	l := listen(t)
	t.Cleanup(func() { _ = l.Close() })
	go acceptEach(l, tick)
	c := assistant("http://" + l.Addr().String() + "/v1")
	schema := []byte(`{"type": "object", "required": ["question"], "additionalProperties": false,
		"properties": {"question": {"type": "string", "minLength": 1, "maxLength": 200000}}}`)
	for i := range c.Routes {
		c.Routes[i].Request = &config.Request{Schema: schema}
		c.Routes[i].Steps[0].Chat.Messages[1].Content = "Question: ${request.body.question}"
	}
	c.Routes[1].Response = &config.Response{
		Body: []byte(`{"answer": "${steps.answer.text}", "reason": "${steps.answer.finishReason}"}`),
		Schema: []byte(`{"type": "object", "required": ["answer", "reason"],
			"properties": {"answer": {"type": "string"}, "reason": {"enum": ["stop", "length"]}}}`),
	}
	r := start(t, c, func(o *Options) {
		o.Logger, o.Engine, o.UpstreamClient = slog.New(slog.DiscardHandler), DefaultEngine, DefaultUpstreamClient
	})
	return strings.TrimPrefix(r.url, "http://"), tick
}

func acceptEach(l net.Listener, tick <-chan struct{}) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			answerEach(conn, tick)
		}()
	}
}

var (
	wholeAnswer = answerOf("application/json", `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"model-a",`+
		`"choices":[{"index":0,"message":{"role":"assistant","content":"`+strings.Repeat("token ", 64)+`"},"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":12,"completion_tokens":64,"total_tokens":76}}`)
	streamHead = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	oneEvent   = inChunk(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"model-a",` +
		`"choices":[{"index":0,"delta":{"content":"token "},"finish_reason":null}]}` + "\n\n")
)

func answerOf(media, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", media, len(body), body)
}

func inChunk(text string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(text), text) }

// answerEach is the upstream on one connection.
func answerEach(conn net.Conn, tick <-chan struct{}) {
	requests := bufio.NewReaderSize(conn, 256<<10)
	for {
		body, err := readMessage(requests)
		switch {
		case err != nil:
			return
		case !bytes.Contains(body, []byte(`"stream":true`)):
			_, _ = conn.Write(wholeAnswer)
			continue
		}
		_, _ = conn.Write(streamHead)
		for range tick {
			_, _ = conn.Write(oneEvent)
		}
		return
	}
}

// readMessage reads a message with a length, and returns its body, which is valid until the next read.
func readMessage(r *bufio.Reader) (body []byte, err error) {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) == len("\r\n") {
			break
		}
		const field = "Content-Length: "
		if len(line) > len(field) && bytes.EqualFold(line[:len(field)], []byte(field)) {
			length = digits(line[len(field):])
		}
	}
	if body, err = r.Peek(length); err == nil {
		_, err = r.Discard(length)
	}
	return body, err
}

func digits(text []byte) (n int) {
	for _, c := range text {
		if c >= '0' && c <= '9' {
			n = 10*n + int(c-'0')
		}
	}
	return n
}

// asker sends one request again and again.
type asker struct {
	conn    net.Conn
	answers *bufio.Reader
	request []byte
}

func newAsker(t testing.TB, address, path, body string) *asker {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * patience))
	return &asker{conn, bufio.NewReaderSize(conn, 256<<10), fmt.Appendf(nil,
		"POST %s HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)}
}

func (a *asker) ask(t testing.TB) {
	t.Helper()
	if _, err := a.conn.Write(a.request); err != nil {
		t.Fatal(err)
	}
	body, err := readMessage(a.answers)
	if err != nil || !bytes.Contains(body, []byte("token token")) {
		t.Fatalf("%s, %v", body, err)
	}
}

// begin begins a stream.
func (a *asker) begin(t testing.TB, tick chan<- struct{}) {
	t.Helper()
	if _, err := a.conn.Write(a.request); err != nil {
		t.Fatal(err)
	}
	a.event(t, tick)
}

// event has the upstream send an event, and awaits it.
func (a *asker) event(t testing.TB, tick chan<- struct{}) {
	t.Helper()
	tick <- struct{}{}
	for {
		line, err := a.answers.ReadSlice('\n')
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(line, []byte("data: ")) {
			return
		}
	}
}

// chatBody and typedBody have so many bytes.
func chatBody(stream bool, size int) string {
	head := `{"model":"assistant","stream":` + strconv.FormatBool(stream) + `,"messages":[{"role":"user","content":"`
	return head + filled(size-len(head)-len(`"}]}`)) + `"}]}`
}

func typedBody(size int) string {
	return `{"question":"` + filled(size-len(`{"question":""}`)) + `"}`
}

func filled(size int) string {
	return strings.Repeat("What is due, and when? ", max(size, 1)/23+1)[:max(size, 1)]
}

// requests are those whose cost counts: of a client of OpenAI's API, and to a route with a schema, a template and a response schema.
var requests = map[string]struct {
	path string
	body func(size int) string
	most float64 // allocations
}{
	"v1":    {"/v1/chat/completions", func(size int) string { return chatBody(false, size) }, 60},
	"typed": {"/answer", typedBody, 106},
}

// A request costs a bounded number of allocations, and some more under the race detector, where pools lose a quarter of what they
// are given.
func TestAllocationsOfRequests(t *testing.T) {
	address, _ := priced(t)
	for name, of := range requests {
		a := newAsker(t, address, of.path, of.body(200))
		n := testing.AllocsPerRun(200, func() { a.ask(t) })
		if n > of.most+lostOfRequests {
			t.Errorf("%s: %v allocations, want at most %v", name, n, of.most+lostOfRequests)
		}
		t.Logf("%s: %v", name, n)
	}
}

// streamed are the streams whose events count: one in which the model's name is replaced, and one of a route.
var streamed = map[string]struct{ path, body string }{
	"v1":    {"/v1/chat/completions", chatBody(true, 200)},
	"typed": {"/stream", typedBody(200)},
}

// An event costs no allocation on its way through the gateway: it is read, cut, understood, changed and written.
func TestAllocationsOfEvents(t *testing.T) {
	for name, of := range streamed {
		address, tick := priced(t)
		a := newAsker(t, address, of.path, of.body)
		a.begin(t, tick)
		for range 100 { // buffers grow
			a.event(t, tick)
		}
		if n := testing.AllocsPerRun(1000, func() { a.event(t, tick) }); n > perEvent {
			t.Errorf("%s: %v allocations for an event", name, n)
		}
		_ = a.conn.Close()
		close(tick)
	}
}

func BenchmarkRequest(b *testing.B) {
	address, _ := priced(b)
	for name, of := range requests {
		for _, size := range []int{64, 200, 8 << 10, 128 << 10} {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				a := newAsker(b, address, of.path, of.body(size))
				b.ReportAllocs()
				for b.Loop() {
					a.ask(b)
				}
			})
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	for name, of := range streamed {
		b.Run(name, func(b *testing.B) {
			address, tick := priced(b)
			a := newAsker(b, address, of.path, of.body)
			a.begin(b, tick)
			b.ReportAllocs()
			for b.Loop() {
				a.event(b, tick)
			}
			_ = a.conn.Close()
			close(tick)
		})
	}
}
