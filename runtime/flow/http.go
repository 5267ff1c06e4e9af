package flow

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// httpCall makes one HTTP request.
type httpCall struct {
	*program.HTTP

	target target
}

// HTTP implements program.Kinds.
func (c *compiler) HTTP(h *program.HTTP) made {
	target, err := c.target(h.Candidates(), h.Choice)
	return made{&httpCall{h, target}, err}
}

func (h *httpCall) perform(ctx context.Context, f *frame) (any, error) {
	target, err := h.target.of(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("http.%w", err)
	}
	question, err := h.question(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("http.%w", err)
	}
	var body any
	question.Read = func(a *upstream.Fetched) error {
		return f.replace(ctx, a.Body, schema.DecodedBytes(a.Body), func() (err error) {
			body, err = admitted(ctx, f.env, len(a.Body), func() (any, error) { return content(ctx, a) })
			return err
		})
	}
	plan := &upstream.Plan{
		Upstreams: []*upstream.Upstream{target}, Key: f.key, Memory: f.memory, Once: h.Once(),
		Ask: func(*upstream.Upstream) (*upstream.Question, error) { return question, nil },
	}
	answer, err := f.fetch(ctx, plan, upstream.Expect{Status: h.expects})
	if err != nil {
		return nil, err
	}
	return map[string]any{"status": int64(answer.Status), "headers": headers(answer.Header), "body": body}, nil
}

func (h *httpCall) expects(status int) bool {
	return status/100 == 2 || slices.Contains(h.AllowStatus, status)
}

func (h *httpCall) question(ctx context.Context, f *frame) (*upstream.Question, error) {
	path, err := evaluate(ctx, f, func(b *expr.CostBudget) (string, error) { return h.Path.Path(ctx, f.vars, b) })
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	query, err := f.query(ctx, h.Query)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	header, err := f.header(ctx, h.Headers)
	if err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	var body []byte
	if h.Body != nil {
		if body, err = f.json(ctx, h.Body); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return &upstream.Question{Method: h.Method, Path: path, Header: header, Body: pieces.Text{body}}, nil
}

// query has the parameters that a tree gives: a list repeats its name, and null leaves it out.
func (f *frame) query(ctx context.Context, t *expr.Tree) (url.Values, error) {
	members, err := f.members(ctx, t)
	if err != nil {
		return nil, err
	}
	values := url.Values{}
	for name, value := range members {
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		for _, item := range list {
			if item == nil {
				continue
			}
			text, err := plain(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			values.Add(name, text)
		}
	}
	return values, nil
}

// header has the fields that a tree gives. One that is null is there without a value, even if the gateway would set it.
func (f *frame) header(ctx context.Context, t *expr.Tree) (http.Header, error) {
	members, err := f.members(ctx, t)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for name, value := range members {
		if value == nil {
			header[http.CanonicalHeaderKey(name)] = nil
			continue
		}
		text, err := plain(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			cause := fmt.Errorf("%s: has control characters", name)
			return nil, f.misfit(t.Reads(name), "gives control characters for a header", cause)
		}
		header.Set(name, text)
	}
	return header, nil
}

func (f *frame) members(ctx context.Context, t *expr.Tree) (map[string]any, error) {
	value, err := f.tree(ctx, t)
	if err != nil {
		return nil, err
	}
	members, _ := value.(map[string]any) // the contract has a map there
	return members, nil
}

// plain is a value as text.
func plain(value any) (string, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	encoded, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("write as text: %w", err)
	}
	return string(encoded), nil
}

// content is an answer's body: the value of JSON, or else text. If an answer says that it is JSON and cannot be read, that is
// an error: otherwise templates that read its members would fail later, and others would pass it on as text. An answer without
// a type may be either.
func content(ctx context.Context, a *upstream.Fetched) (any, error) {
	if len(a.Body) == 0 {
		return nil, nil //nolint:nilnil // null is a value like any other
	}
	if media := upstream.MediaType(a.Header); media == "" || upstream.IsJSON(media) {
		value, err := schema.DecodeLenient(ctx, a.Body)
		switch {
		case err == nil, ctx.Err() != nil:
			return value, err //nolint:wrapcheck // it is the reason why ctx has ended
		case media != "":
			return nil, fmt.Errorf("the answer is not readable JSON: %w", err)
		}
	}
	return strings.ToValidUTF8(string(a.Body), "\uFFFD"), nil
}
