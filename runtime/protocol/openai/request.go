package openai

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// maxDepth bounds how deep a request may nest.
const maxDepth = 64

// chatRequest is a client's chat completion request, as far as a gateway needs to know it. It implements llm.ClientRequest.
type chatRequest struct {
	Model  string
	Stream bool
	body   []byte
	model  rawjson.Span
}

// parseChatRequest reads what policy needs of a request, and checks no more than that: what else it may hold is
// between the client and the upstream.
func parseChatRequest(body []byte) (*chatRequest, *problem.Error) {
	r := &chatRequest{body: body}
	var stream, messages rawjson.Span
	var variant *problem.Error
	err := rawjson.Members(body, func(raw []byte, value rawjson.Span) {
		switch name := rawjson.Unescaped(raw); name {
		case "model":
			r.model = value
		case "stream":
			stream = value
		case "messages":
			messages = value
		default:
			if meant := variantOf(name); meant != "" && variant == nil {
				variant = misspelt(name, meant)
			}
		}
	})
	if err != nil || rawjson.TooDeep(body, maxDepth) {
		return nil, problem.Unreadable(err)
	}
	if variant != nil {
		return nil, variant
	}
	if !r.model.Found() || json.Unmarshal(r.model.Of(body), &r.Model) != nil || r.Model == "" {
		return nil, problem.WrongValue("model", "a string")
	}
	if stream.Found() && json.Unmarshal(stream.Of(body), &r.Stream) != nil {
		return nil, problem.WrongValue("stream", "true or false")
	}
	if !messages.Found() || jsontext.Value(messages.Of(body)).Kind() != '[' {
		return nil, problem.WrongValue("messages", "an array")
	}
	return r, nil
}

// Wants implements llm.ClientRequest.
func (r *chatRequest) Wants() (model string, stream bool) { return r.Model, r.Stream }

// WithModel implements llm.ClientRequest.
func (r *chatRequest) WithModel(name string) []byte {
	quoted := rawjson.Quote(name)
	return rawjson.Splice(make([]byte, 0, len(r.body)+len(quoted)), r.body, r.model, quoted)
}
