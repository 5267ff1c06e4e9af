package flow

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/relay"
)

// reply is a whole answer without its status: of JSON that a tree has given, or without a body if there is no tree.
func (f *frame) reply(ctx context.Context, h *program.Head, tree *expr.Tree, encoded []byte) (*relay.Reply, error) {
	if tree != nil && isPlain(h) {
		return relay.JSON(encoded), nil
	}
	header, err := f.head(ctx, h)
	if err != nil || tree == nil {
		return &relay.Reply{Header: header}, err
	}
	body, err := f.content(ctx, h, tree, encoded)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	header.Set("Content-Type", h.MediaType())
	return &relay.Reply{Header: header, Body: body}, nil
}

// isPlain reports whether an answer has no fields but that of a JSON body.
func isPlain(h *program.Head) bool {
	return h.ContentType == "" && h.Headers == nil && len(h.Cookies) == 0 && h.Location == nil
}

// content is a body as it is sent: JSON as it stands, and a text, or the bytes that it has in base64, without its quotes.
func (f *frame) content(ctx context.Context, h *program.Head, tree *expr.Tree, encoded []byte) ([]byte, error) {
	if !h.IsText() {
		return encoded, nil
	}
	if err := f.reserve(ctx, relay.Copies*len(encoded)); err != nil {
		return nil, err
	}
	var text string
	if err := json.Unmarshal(encoded, &text); err != nil || encoded[0] != '"' {
		return nil, f.misfit(tree.Reads(), "does not give text, as its contentType demands", errors.New("is not text"))
	}
	if h.BodyEncoding != config.BodyBase64 {
		return []byte(text), nil
	}
	bytes, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, f.misfit(tree.Reads(), "does not give base64, as its bodyEncoding demands", errors.New("is not base64"))
	}
	return bytes, nil
}

// head has the fields of an answer that its manifest names.
func (f *frame) head(ctx context.Context, h *program.Head) (http.Header, error) {
	header, err := f.header(ctx, h.Headers)
	if err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	for i := range h.Head.Cookies {
		cookie, err := f.cookie(ctx, &h.Head.Cookies[i], h.Cookies[i])
		if err != nil {
			return nil, fmt.Errorf("cookies[%d]: %w", i, err)
		}
		header.Add("Set-Cookie", cookie)
	}
	if h.Location == nil {
		return header, nil
	}
	location, err := f.location(ctx, h.Location)
	if err != nil {
		return nil, fmt.Errorf("location: %w", err)
	}
	header.Set("Location", location)
	return header, nil
}

// cookie is a cookie as it is set (RFC 6265, section 4.1.1).
func (f *frame) cookie(ctx context.Context, c *config.SetCookie, value *expr.Template) (string, error) {
	text, err := f.text(ctx, value)
	if err != nil {
		return "", fmt.Errorf("value: %w", err)
	}
	quoted, ok := quotedCookie(text)
	if !ok {
		cause := errors.New("has characters that no cookie can have")
		return "", f.misfit(value.Reads(), "gives control characters, or others than ASCII's, for a cookie", cause)
	}
	set := c.Name + "=" + quoted + "; Path=" + c.Path
	if c.MaxAge != nil {
		set += "; Max-Age=" + strconv.Itoa(*c.MaxAge)
	}
	if c.HTTPOnly {
		set += "; HttpOnly"
	}
	if c.Secure {
		set += "; Secure"
	}
	return set + "; SameSite=" + c.SameSite, nil
}

// location is where clients are sent. What expressions give stays within a segment of its path, or a value of its query.
func (f *frame) location(ctx context.Context, l *program.Location) (string, error) {
	path, err := evaluate(ctx, f, func(b *expr.CostBudget) (string, error) { return l.Path.Path(ctx, f.vars, b) })
	if err != nil {
		return "", fmt.Errorf("path: %w", err)
	}
	query, err := f.query(ctx, l.Query)
	if err != nil {
		return "", fmt.Errorf("query: %w", err)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return l.Origin + path, nil
}

// cookieQuotes writes what stands within the quotes of a cookie.
var cookieQuotes = strings.NewReplacer(`"`, `\"`, `\`, `\\`, ",", `\054`, ";", `\073`)

// quotedCookie is a text as the value of a cookie. One that has more than the characters of RFC 6265 is quoted as Python's
// http.cookies quotes it, which unquotedCookie undoes. It reports whether that is possible.
func quotedCookie(text string) (quoted string, ok bool) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return "", false
	}
	if !strings.ContainsAny(text, ` ",;\`) {
		return text, true
	}
	return `"` + cookieQuotes.Replace(text) + `"`, true
}
