package openai

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
)

// maxDepth bounds how deep a request may nest.
const maxDepth = 64

// ChatRequest is a client's chat completion request, as far as a gateway needs to know it.
type ChatRequest struct {
	Model  string
	Stream bool
	body   []byte
	model  span
}

// ParseChatRequest reads what policy needs of a request, and checks no more than that: what else it may hold is
// between the client and the upstream.
func ParseChatRequest(body []byte) (*ChatRequest, *problem.Error) {
	r := &ChatRequest{body: body}
	var stream, messages span
	var variant *problem.Error
	err := members(body, func(raw []byte, value span) {
		switch name := unescaped(raw); name {
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
	if err != nil || tooDeep(body, maxDepth) {
		return nil, malformed(err)
	}
	if variant != nil {
		return nil, variant
	}
	if !r.model.found() || json.Unmarshal(r.model.of(body), &r.Model) != nil || r.Model == "" {
		return nil, invalid("model", "a string")
	}
	if stream.found() && json.Unmarshal(stream.of(body), &r.Stream) != nil {
		return nil, invalid("stream", "true or false")
	}
	if !messages.found() || jsontext.Value(messages.of(body)).Kind() != '[' {
		return nil, invalid("messages", "an array")
	}
	return r, nil
}

// WithModel returns the request's body for an upstream that has another name for the model.
func (r *ChatRequest) WithModel(name string) []byte {
	quoted := quote(name)
	return splice(make([]byte, 0, len(r.body)+len(quoted)), r.body, r.model, quoted)
}

func malformed(err error) *problem.Error {
	message := "The request body is not a JSON object that can be read, or nests too deep."
	return problem.New(problem.MalformedJSON).WithMessage(message).WithCause(err)
}

func invalid(param, want string) *problem.Error {
	e := problem.New(problem.InvalidRequest).WithMessage("Invalid value for \"" + param + "\": it must be " + want + ".")
	e.Param = param
	return e
}
