package mockllm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// chatRequest is the part of a chat request that the mock acts upon.
type chatRequest struct {
	Model         string    `json:"model"`
	Messages      []message `json:"messages"`
	Stream        bool      `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           *int              `json:"max_tokens"`
	MaxCompletionTokens *int              `json:"max_completion_tokens"`
	Tools               []json.RawMessage `json:"tools"`
	ToolChoice          json.RawMessage   `json:"tool_choice"`
	ParallelToolCalls   *bool             `json:"parallel_tool_calls"`
	// Previous is the ID of the response that one of the Responses API continues.
	Previous string `json:"-"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is a message's text: a string, or a list of parts of which those
// with a text count.
type content string

func (c *content) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '[' {
		return json.Unmarshal(data, (*string)(c))
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	for _, p := range parts {
		*c += content(p.Text)
	}
	return nil
}

// check says what is wrong with a request, beside its script.
func (r *chatRequest) check() *refusal {
	if r.Model == "" || len(r.Messages) == 0 {
		return &refusal{http.StatusBadRequest, "missing_field", "model and messages are required."}
	}
	for _, limit := range []*int{r.MaxTokens, r.MaxCompletionTokens} {
		if limit != nil && *limit < 1 {
			return &refusal{http.StatusBadRequest, "integer_below_min_value", "max_tokens must be at least 1."}
		}
	}
	return nil
}

// wantsTools reports whether the reply may call one.
func (r *chatRequest) wantsTools() bool { return len(r.Tools) > 0 && string(r.ToolChoice) != `"none"` }

// planChat reads a request and settles how it is answered.
func (s *Server) planChat(r *http.Request, body []byte) (*exchange, *refusal) {
	var req chatRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_json", "The body is not a chat request: " + err.Error()}
	}
	return s.planReply(r, req, chatForm)
}

// script returns what a request of a model follows: a failure that waits for
// it, or its own.
func (s *Server) script(header http.Header, messages []message, model string) (Script, *refusal) {
	if len(s.models) > 0 && !slices.Contains(s.models, model) {
		return Script{}, &refusal{http.StatusNotFound, "model_not_found", fmt.Sprintf("The model %q does not exist.", model)}
	}
	script, queued := s.nextFailure()
	var err error
	if queued {
		script, err = script.resolve(model, turn(messages))
	} else {
		script, err = chooseScript(s.defaults, header, messages, model)
	}
	if err != nil {
		return Script{}, &refusal{http.StatusBadRequest, "invalid_script", err.Error()}
	}
	return script.withDefaults(), nil
}

func lastUserMessage(messages []message) string {
	for _, m := range slices.Backward(messages) {
		if m.Role == "user" {
			return string(m.Content)
		}
	}
	return ""
}

// chatForm answers as the chat completions API does.
var chatForm = form{
	stream: func(r *reply) frames {
		return newChunks(r, wording{
			object:  "chat.completion.chunk",
			opening: `"delta":{"role":"assistant","content":` + r.opening() + `,"refusal":null}`,
			before:  `"delta":{"content":`, after: `}`, empty: `"delta":{}`,
		})
	},
	whole: func(r *reply) ([]byte, error) { return r.body("chat.completion", `"message":`+r.message()) },
}
