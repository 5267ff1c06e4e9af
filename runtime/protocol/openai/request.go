package openai

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// maxDepth bounds how deep a request may nest.
const maxDepth = 64

// request is what a gateway has to know of a client's request at any endpoint.
type request struct {
	Model  string
	Stream bool
	body   []byte
	model  rawjson.Span
	// previous is the member of a request for a response.
	previous rawjson.Span
	// options are those of the stream; reports means that the endpoint has such options.
	options rawjson.Span
	reports bool
	// values are those of the decisive members.
	decisive *decisive
	values   [maxDecisive]jsontext.Value
}

// decisive are the members by which a gateway decides how to handle a request. folded are their names as variantOf compares them.
type decisive struct{ names, folded []string }

const maxDecisive = 5

func deciding(names ...string) *decisive {
	d := &decisive{names: names}
	for _, name := range names {
		d.folded = append(d.folded, loosely(name))
	}
	return d
}

// Those of each endpoint.
var (
	decidesChat       = deciding("model", "messages", "stream", streamOptions)
	decidesCompletion = deciding("model", "prompt", "stream", streamOptions)
	decidesEmbeddings = deciding("model", "input")
	decidesResponse   = deciding("model", "input", "stream", previousResponse, "background")
)

// parse reads what policy needs of a request, and checks no more than that: the rest is between the client and the upstream.
func (r *request) parse(body []byte, decisive *decisive) *problem.Error {
	r.body, r.decisive, r.reports = body, decisive, slices.Contains(decisive.names, streamOptions)
	var variant *problem.Error
	err := rawjson.MembersWithin(body, maxDepth, func(raw []byte, value rawjson.Span) {
		if r.take(raw, value) {
			return
		}
		name := rawjson.Unescaped(raw)
		if meant := decisive.variantOf(name); meant != "" && variant == nil {
			variant = misspelt(name, meant)
		}
	})
	if err != nil {
		return problem.Unreadable(err, maxDepth)
	}
	if variant != nil {
		return variant
	}
	if r.Model, err = rawjson.Text(r.value("model")); err != nil || r.Model == "" {
		return problem.WrongValue("model", "a string")
	}
	switch stream := r.value("stream"); string(stream) {
	case "true":
		r.Stream = true
	case "", "false", "null":
	default:
		return problem.WrongValue("stream", "true or false")
	}
	return nil
}

// take takes a member if it is a decisive one.
func (r *request) take(raw []byte, value rawjson.Span) bool {
	name := raw
	if bytes.IndexByte(raw, '\\') >= 0 {
		name = []byte(rawjson.Unescaped(raw))
	}
	i := slices.IndexFunc(r.decisive.names, func(n string) bool { return n == string(name) })
	if i < 0 {
		return false
	}
	r.values[i] = value.Of(r.body)
	switch r.decisive.names[i] {
	case "model":
		r.model = value
	case previousResponse:
		r.previous = value
	case streamOptions:
		r.options = value
	}
	return true
}

// value is that of a decisive member; nil if it is not given.
func (r *request) value(name string) jsontext.Value {
	if i := slices.Index(r.decisive.names, name); i >= 0 {
		return r.values[i]
	}
	return nil
}

// Wants implements llm.ClientRequest.
func (r *request) Wants() (model string, stream bool) { return r.Model, r.Stream }

// WithModel implements llm.ClientRequest.
func (r *request) WithModel(name string) pieces.Text {
	return rawjson.Pieces(r.body, rawjson.Edit{At: r.model, By: rawjson.Quote(name)})
}

// WithUsage implements llm.ClientRequest.
func (r *request) WithUsage(name string) (pieces.Text, bool) {
	asks, needed := r.askingUsage()
	if !needed {
		return r.WithModel(name), false
	}
	model := rawjson.Edit{At: r.model, By: rawjson.Quote(name)}
	if asks.At.Start < r.model.Start {
		return rawjson.Pieces(r.body, asks, model), true
	}
	return rawjson.Pieces(r.body, model, asks), true
}

// askingUsage is the edit that makes the request ask for its stream's usage; false if it does so itself, or has something in
// that place which the upstream will refuse.
func (r *request) askingUsage() (edit rawjson.Edit, needed bool) {
	yes := []byte("true")
	asks := rawjson.Object{}.With(includeUsage, yes).Done()
	options := jsontext.Value(r.options.Of(r.body))
	switch {
	case !r.reports:
		return rawjson.Edit{}, false
	case !r.options.Found():
		return rawjson.Added(r.body, rawjson.Span{End: len(r.body)}, streamOptions, asks), true
	case options.Kind() == 'n':
		return rawjson.Edit{At: r.options, By: asks}, true
	case options.Kind() != '{':
		return rawjson.Edit{}, false
	}
	var asked rawjson.Span
	_ = rawjson.Members(options, func(name []byte, value rawjson.Span) { // it has been read once already
		if rawjson.Unescaped(name) == includeUsage {
			asked = rawjson.Span{Start: r.options.Start + value.Start, End: r.options.Start + value.End}
		}
	})
	if !asked.Found() {
		return rawjson.Added(r.body, r.options, includeUsage, yes), true
	}
	value := string(asked.Of(r.body))
	return rawjson.Edit{At: asked, By: yes}, value == "false" || value == "null"
}

// chatRequest is a client's chat completion request. It implements llm.ClientRequest.
type chatRequest struct{ request }

func parseChatRequest(body []byte) (*chatRequest, *problem.Error) {
	r := &chatRequest{}
	if wrong := r.parse(body, decidesChat); wrong != nil {
		return nil, wrong
	}
	if r.value("messages").Kind() != '[' {
		return nil, problem.WrongValue("messages", "an array")
	}
	return r, nil
}
