package mockllm

import (
	"encoding/json"
	"net/http"
)

// completionsRequest is the part of a request of the older completions API that the mock acts upon.
type completionsRequest struct {
	chatRequest
	Prompt texts `json:"prompt"`
}

// planCompletions follows a script as planChat does; the prompt stands for a message.
func (s *Server) planCompletions(r *http.Request, body []byte) (*exchange, *refusal) {
	var req completionsRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_json", "The body is not a completions request: " + err.Error()}
	}
	req.Messages, req.Tools = nil, nil
	for _, prompt := range req.Prompt {
		req.Messages = append(req.Messages, message{Role: "user", Content: content(prompt)})
	}
	return s.planReply(r, req.chatRequest, completionsForm)
}

// completionsForm answers as the completions API does: a choice has a text in place of a message.
var completionsForm = form{
	stream: func(r *reply) frames {
		return newChunks(r, wording{object: "text_completion", before: `"text":`, empty: `"text":""`})
	},
	whole: func(r *reply) ([]byte, error) { return r.body("text_completion", `"text":`+string(r.wholeText())) },
}
