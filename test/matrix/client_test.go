package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// path is one that a client can take through the gateway.
type path struct {
	name   string
	stream bool
	api    *api // of the first upstream
	// body asks for what a case's script answers with.
	body func(prefix, name string) (path, body string)
	// upstreams are asked, in order or at once.
	upstreams []string
	fallback  bool // the second is asked where the first fails
}

// prompt is what each client asks, after the name of the case.
func prompt(name string) string { return name + " " + canaryPrompt }

func route(name string) func(prefix, c string) (string, string) {
	return func(prefix, c string) (string, string) {
		return "/" + prefix + name, fmt.Sprintf(`{"ask":%q}`, prompt(c))
	}
}

// model asks one at an endpoint of /v1, of which the format takes the prompt.
func model(endpoint, name, format string, stream bool) func(prefix, c string) (string, string) {
	return func(prefix, c string) (string, string) {
		return "/v1/" + endpoint, fmt.Sprintf(`{"model":%q,"stream":%v,`+format+`}`, prefix+name, stream, prompt(c))
	}
}

// The members of a request that have its prompt.
const (
	asMessage = `"messages":[{"role":"user","content":%q}]`
	asPrompt  = `"prompt":%q`
	asInput   = `"input":%q`
)

func chatting(name string, stream bool) func(prefix, c string) (string, string) {
	return model("chat/completions", name, asMessage, stream)
}

func responding(name string, stream bool) func(prefix, c string) (string, string) {
	return model("responses", name, asInput, stream)
}

var (
	one = []string{first}
	two = []string{first, second}
)

var paths = []path{
	{name: "chat streamed", stream: true, api: chatAPI, body: chatting("one", true), upstreams: one},
	{name: "chat streamed, with a second upstream", stream: true, api: chatAPI, body: chatting("two", true), upstreams: two, fallback: true},
	{name: "chat whole", api: chatAPI, body: chatting("one", false), upstreams: one},
	{name: "chat whole, with a second upstream", api: chatAPI, body: chatting("two", false), upstreams: two, fallback: true},
	{name: "chat streamed, of responses", stream: true, api: responsesAPI, body: chatting("answers", true), upstreams: one},
	{name: "chat whole, of responses", api: responsesAPI, body: chatting("answers", false), upstreams: one},
	{name: "response streamed", stream: true, api: responsesAPI, body: responding("full", true), upstreams: one},
	{name: "response whole", api: responsesAPI, body: responding("full", false), upstreams: one},
	{name: "response streamed, of chats", stream: true, api: chatAPI, body: responding("one", true), upstreams: one},
	{name: "response whole, of chats", api: chatAPI, body: responding("one", false), upstreams: one},
	{name: "completion streamed", stream: true, api: completionsAPI, body: model("completions", "full", asPrompt, true), upstreams: one},
	{name: "completion whole", api: completionsAPI, body: model("completions", "full", asPrompt, false), upstreams: one},
	{name: "embeddings", api: embeddingsAPI, body: model("embeddings", "full", asInput, false), upstreams: one},
	{name: "a route as a model, chat streamed", stream: true, api: chatAPI, body: chatting("routed", true), upstreams: one},
	{name: "a route as a model, response streamed", stream: true, api: chatAPI, body: responding("routed", true), upstreams: one},
	{name: "a route as a model, chat whole", api: chatAPI, body: chatting("routed", false), upstreams: one},
	{name: "chunks of a route", stream: true, api: chatAPI, body: route("stream"), upstreams: one},
	{name: "chunks of a route, of responses", stream: true, api: responsesAPI, body: route("answers"), upstreams: one},
	{name: "texts of a route", stream: true, api: chatAPI, body: route("json"), upstreams: one},
	{name: "named events", stream: true, api: chatAPI, body: route("events"), upstreams: one},
	{name: "fallback streamed", stream: true, api: chatAPI, body: route("fallback"), upstreams: two, fallback: true},
	{name: "whole chat of a route", api: chatAPI, body: route("whole"), upstreams: one},
	{name: "gather of two", api: chatAPI, body: route("all"), upstreams: two},
	{name: "HTTP call", api: toolAPI, body: route("tool"), upstreams: []string{tool}},
}

// What a client saw at the end.
const (
	done   = "done"
	failed = "error event"
)

// outcome is what a client got.
type outcome struct {
	status int
	text   string
	ends   []string // done or failed
	after  bool     // something followed an end
}

// ask sends a request and reads its answer to the end. The error is that of an answer that was cut, or that is not what the
// path's answers are.
func ask(ctx context.Context, client *http.Client, address string, p *path, prefix, name string, slowly bool) (outcome, error) {
	to, body := p.body(prefix, name)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+to, strings.NewReader(body))
	if err != nil {
		return outcome{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return outcome{}, fmt.Errorf("no answer: %w", err)
	}
	defer answer.Body.Close()
	o := outcome{status: answer.StatusCode}
	var from io.Reader = answer.Body
	if slowly {
		from = slowReader{from}
	}
	raw, err := io.ReadAll(from)
	switch {
	case err != nil:
		return o, fmt.Errorf("cut after %d bytes: %w", len(raw), err)
	case o.status != http.StatusOK:
		if !json.Valid(raw) || len(raw) == 0 {
			return o, fmt.Errorf("%d without a reason: %q", o.status, raw)
		}
		return o, nil
	case p.stream:
		return o, o.events(string(raw))
	default:
		return o, o.document(raw)
	}
}

// slowReader takes its time, so that what writes to it has to wait.
type slowReader struct{ io.Reader }

func (r slowReader) Read(p []byte) (int, error) {
	<-time.After(time.Millisecond)
	return r.Reader.Read(p[:min(len(p), 32<<10)])
}

// message is what any of the formats may hold.
type message struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	Delta   any    `json:"delta"`
	Error   any    `json:"error"`
	Choices []struct {
		Text    string  `json:"text"`
		Delta   content `json:"delta"`
		Message content `json:"message"`
	} `json:"choices"`
	Output []struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	} `json:"output"`
	Data []struct {
		Embedding []float64 `json:"embedding"`
	} `json:"data"`
}

type content struct {
	Content string `json:"content"`
}

// words are all that it says.
func (m *message) words() string {
	text := ""
	if m.Type == "" {
		text = m.Text
	}
	if m.Type == "response.output_text.delta" {
		text += fmt.Sprint(m.Delta)
	}
	for _, c := range m.Choices {
		text += c.Text + c.Delta.Content + c.Message.Content
	}
	for _, o := range m.Output {
		for _, c := range o.Content {
			text += c.Text
		}
	}
	for _, d := range m.Data {
		if slices.Equal(d.Embedding, []float64{0.25, 0.5}) {
			text += all
		}
	}
	return text
}

var errNotWhole = errors.New("an event is not whole")

func (o *outcome) events(raw string) error {
	if raw != "" && !strings.HasSuffix(raw, "\n\n") {
		return fmt.Errorf("%w: …%q", errNotWhole, raw[max(0, len(raw)-80):])
	}
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\r", "\n")
	for event := range strings.SplitSeq(strings.TrimSuffix(raw, "\n\n"), "\n\n") {
		kind, data := "", ""
		for line := range strings.SplitSeq(event, "\n") {
			if value, ok := strings.CutPrefix(line, "event: "); ok {
				kind = value
			}
			if value, ok := strings.CutPrefix(line, "data: "); ok {
				data += value
			}
		}
		if data == "" {
			continue // clients ignore it: what comes of half an event and garbage, or a comment
		}
		o.after = o.after || len(o.ends) > 0
		if err := o.event(kind, data); err != nil {
			return err
		}
	}
	return nil
}

func (o *outcome) event(kind, data string) error {
	if data == "[DONE]" {
		o.ends = append(o.ends, done)
		return nil
	}
	var m message
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		return fmt.Errorf("an event is not JSON: %q", data)
	}
	switch {
	case m.Error != nil, m.Type == "error":
		o.ends = append(o.ends, failed)
	case kind == "done", m.Type == "response.completed":
		o.ends = append(o.ends, done)
	}
	o.text += m.words()
	return nil
}

func (o *outcome) document(raw []byte) error {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("the answer is not JSON: %q", raw)
	}
	o.text, o.ends = m.words(), []string{done}
	return nil
}
