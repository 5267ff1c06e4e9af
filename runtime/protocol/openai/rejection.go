package openai

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
)

// faulty has the members in which servers say what was wrong: those of OpenAI, of vLLM and FastAPI, on which most servers of
// models are built, of TGI, and of RFC 9457.
type faulty struct {
	Error     jsontext.Value `json:"error"`
	Errors    jsontext.Value `json:"errors"`
	Detail    jsontext.Value `json:"detail"`
	Message   jsontext.Value `json:"message"`
	Msg       jsontext.Value `json:"msg"`
	Title     jsontext.Value `json:"title"`
	Type      jsontext.Value `json:"type"`
	ErrorType jsontext.Value `json:"error_type"`
	Param     jsontext.Value `json:"param"`
	Code      jsontext.Value `json:"code"`
	Loc       jsontext.Value `json:"loc"`
}

// maxNested bounds how many errors may be nested.
const maxNested = 4

// ReadRejection implements llm.Front.
func (Dialect) ReadRejection(body []byte) llm.Rejection {
	return rejection(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), maxNested)
}

func rejection(value jsontext.Value, nested int) llm.Rejection {
	var r llm.Rejection
	switch value.Kind() {
	case '"':
		r.Message = words(value)
	case '[':
		return firstOf(value, nested)
	case '{':
		var f faulty
		if !read(value, &f) {
			return r
		}
		return f.rejection(nested)
	default:
	}
	return r
}

// read is lenient: if a member is given twice, the last counts, and bytes that are not UTF-8 are replaced.
func read(value jsontext.Value, into any) bool {
	return json.Unmarshal(value, into, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) == nil
}

func (f *faulty) rejection(nested int) llm.Rejection {
	own := llm.Rejection{Type: words(f.Type), Param: words(f.Param), Code: simple(f.Code)}
	if own.Type == "" {
		own.Type = words(f.ErrorType)
	}
	for _, text := range []jsontext.Value{f.Message, f.Msg} {
		if own.Message == "" {
			own.Message = words(text)
		}
	}
	for _, inner := range []jsontext.Value{f.Error, f.Detail, f.Errors, f.Message, f.Title} {
		if own.Message != "" || nested == 0 {
			break
		}
		own = within(own, rejection(inner, nested-1))
	}
	if at := place(f.Loc); at != "" && own.Message != "" {
		own.Param, own.Message = at, at+": "+own.Message
	}
	return own
}

// within combines an inner error with the members of the outer one that it lacks.
func within(outer, inner llm.Rejection) llm.Rejection {
	// The type of an error that contains another, such as Anthropic's, says only that it is an error.
	if inner.Type == "" {
		inner.Type = outer.Type
	}
	if inner.Param == "" {
		inner.Param = outer.Param
	}
	if inner.Code == nil {
		inner.Code = outer.Code
	}
	return inner
}

// Bounds of a list of errors, and of the path to a place in a request, in a message.
const (
	maxListed = 8
	maxSteps  = 32
)

// firstOf reads a list of errors: the first, with the messages of the others.
func firstOf(list jsontext.Value, nested int) llm.Rejection {
	var first llm.Rejection
	var messages []string
	for _, item := range some(list, maxListed) {
		if nested == 0 {
			break
		}
		r := rejection(item, nested-1)
		if r.Message == "" {
			continue
		}
		if len(messages) == 0 {
			first = r
		}
		messages = append(messages, r.Message)
	}
	first.Message = strings.Join(messages, "; ")
	return first
}

// place writes a violation's location as OpenAI names parameters, such as messages[0].role.
func place(loc jsontext.Value) string {
	var b strings.Builder
	for i, step := range some(loc, maxSteps) {
		switch name := words(step); {
		case step.Kind() == '0':
			fmt.Fprintf(&b, "[%s]", step)
		case i == 0 && (name == "body" || name == "query" || name == "header"), name == "":
		case b.Len() > 0:
			b.WriteString("." + name)
		default:
			b.WriteString(name)
		}
	}
	return b.String()
}

// some are the first items of a list, as far as they can be read.
func some(list jsontext.Value, most int) []jsontext.Value {
	var items []jsontext.Value
	d := jsontext.NewDecoder(bytes.NewReader(list), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '[' {
		return nil
	}
	for len(items) < most && d.PeekKind() != ']' {
		item, err := d.ReadValue()
		if err != nil {
			break
		}
		items = append(items, item.Clone())
	}
	return items
}

// words is the text of a string; empty for another value.
func words(value jsontext.Value) string {
	var text string
	if value.Kind() != '"' || !read(value, &text) {
		return ""
	}
	return text
}

// simple is a value that may be a code; nil for any other.
func simple(value jsontext.Value) jsontext.Value {
	switch value.Kind() {
	case '"', '0', 'n':
		return value
	default:
		return nil
	}
}
