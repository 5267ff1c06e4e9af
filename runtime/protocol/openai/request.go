package openai

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
}

// The members by which a gateway decides how to handle a request, at each endpoint.
var (
	decidesChat       = []string{"model", "messages", "stream", streamOptions}
	decidesCompletion = []string{"model", "prompt", "stream", streamOptions}
	decidesEmbeddings = []string{"model", "input"}
	decidesResponse   = []string{"model", "input", "stream", previousResponse, "background"}
)

// parse reads what policy needs of a request, and checks no more than that: the rest is between the client and the upstream. It
// returns the decisive members.
func (r *request) parse(body []byte, decisive []string) (map[string]jsontext.Value, *problem.Error) {
	r.body, r.reports = body, slices.Contains(decisive, streamOptions)
	given := make(map[string]jsontext.Value, len(decisive))
	var variant *problem.Error
	err := rawjson.Members(body, func(raw []byte, value rawjson.Span) {
		name := rawjson.Unescaped(raw)
		if slices.Contains(decisive, name) {
			given[name] = value.Of(body)
			switch name {
			case "model":
				r.model = value
			case previousResponse:
				r.previous = value
			case streamOptions:
				r.options = value
			}
		} else if meant := variantOf(name, decisive); meant != "" && variant == nil {
			variant = misspelt(name, meant)
		}
	})
	if err != nil || rawjson.TooDeep(body, maxDepth) {
		return nil, problem.Unreadable(err, maxDepth)
	}
	if variant != nil {
		return nil, variant
	}
	if !r.model.Found() || json.Unmarshal(given["model"], &r.Model) != nil || r.Model == "" {
		return nil, problem.WrongValue("model", "a string")
	}
	if stream, found := given["stream"]; found && json.Unmarshal(stream, &r.Stream) != nil {
		return nil, problem.WrongValue("stream", "true or false")
	}
	return given, nil
}

// Wants implements llm.ClientRequest.
func (r *request) Wants() (model string, stream bool) { return r.Model, r.Stream }

// WithModel implements llm.ClientRequest.
func (r *request) WithModel(name string) []byte {
	return rawjson.Edited(r.body, rawjson.Edit{At: r.model, By: rawjson.Quote(name)})
}

// WithUsage implements llm.ClientRequest.
func (r *request) WithUsage(name string) ([]byte, bool) {
	asks, needed := r.askingUsage()
	if !needed {
		return r.WithModel(name), false
	}
	model := rawjson.Edit{At: r.model, By: rawjson.Quote(name)}
	if asks.At.Start < r.model.Start {
		return rawjson.Edited(r.body, asks, model), true
	}
	return rawjson.Edited(r.body, model, asks), true
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
	given, wrong := r.parse(body, decidesChat)
	if wrong != nil {
		return nil, wrong
	}
	if messages, found := given["messages"]; !found || messages.Kind() != '[' {
		return nil, problem.WrongValue("messages", "an array")
	}
	return r, nil
}
