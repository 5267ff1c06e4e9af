package streams

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Call is a request for a stream.
type Call struct {
	URL string
	// Body is sent as JSON.
	Body []byte
	// Want is the text that the tokens have to add up to; empty accepts any.
	Want string
}

// Script is a reply of test/mockllm: so many tokens, so long after one another.
type Script struct {
	Tokens int
	Pace   time.Duration

	echo bool
}

// Echo is a script that says back what the upstream was asked.
func Echo() Script { return Script{echo: true} }

// Prompt is a user message that makes mockllm follow the script, whatever gateway stands before it.
func (s Script) Prompt() string {
	if s.echo {
		return `[[mock {"echo": true}]] tell me something`
	}
	return fmt.Sprintf(`[[mock {"tokens": %d, "tokenDelay": %q}]] tell me something`, s.Tokens, s.Pace)
}

// Text is what mockllm says; empty for an echo, which depends on what stands between.
func (s Script) Text() string {
	if s.echo {
		return ""
	}
	words := make([]string, s.Tokens)
	for i := range words {
		words[i] = "token-" + strconv.Itoa(i)
	}
	return strings.Join(words, " ")
}

// Field is a call of a route whose body has one member, which carries the user's message.
func (s Script) Field(url, field string) Call {
	return Call{URL: url, Body: mustJSON(map[string]string{field: s.Prompt()}), Want: s.Text()}
}

// Chat is a call of the OpenAI-compatible endpoint.
func (s Script) Chat(url, model string) Call {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	return Call{URL: url, Want: s.Text(), Body: mustJSON(struct {
		Model    string    `json:"model"`
		Stream   bool      `json:"stream"`
		Messages []message `json:"messages"`
	}{model, true, []message{{"user", s.Prompt()}}})}
}

func mustJSON(v any) []byte {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic("streams: strings are always JSON: " + err.Error())
	}
	return encoded
}

const dialTimeout = 5 * time.Second

// NewClient returns an HTTP client whose every request has a connection of its own: kube-proxy balances connections,
// so clients that kept theirs would all stay with the first replica.
func NewClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:             nil, // the Service is in the cluster; a proxy of the environment is not
		DialContext:       (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableKeepAlives: true,
	}}
}

func (c Call) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(c.Body))
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", c.URL, err)
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}
