package mockllm

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// responsesRequest is the part of a request of the Responses API that the mock acts upon.
type responsesRequest struct {
	Model             string            `json:"model"`
	Input             input             `json:"input"`
	Instructions      string            `json:"instructions"`
	Stream            bool              `json:"stream"`
	MaxOutputTokens   *int              `json:"max_output_tokens"`
	Tools             []json.RawMessage `json:"tools"`
	ToolChoice        json.RawMessage   `json:"tool_choice"`
	ParallelToolCalls *bool             `json:"parallel_tool_calls"`
	Previous          string            `json:"previous_response_id"`
}

// input is a text, or a list of items.
type input []message

func (in *input) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '[' {
		*in = input{{Role: "user"}}
		return json.Unmarshal(data, &(*in)[0].Content)
	}
	var items []struct {
		message
		Type   string  `json:"type"`
		Output content `json:"output"`
	}
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	for i, item := range items {
		switch item.Type {
		case "", "message":
			*in = append(*in, item.message)
		case "function_call":
			// Calls that stand next to each other are of one turn.
			if i == 0 || items[i-1].Type != "function_call" {
				*in = append(*in, message{Role: "assistant"})
			}
		case "function_call_output":
			*in = append(*in, message{Role: "tool", Content: item.Output})
		}
	}
	return nil
}

// chat is the request as one of chat completions.
func (r *responsesRequest) chat() chatRequest {
	c := chatRequest{
		Model: r.Model, Messages: r.Input, Stream: r.Stream, MaxTokens: r.MaxOutputTokens,
		Tools: r.Tools, ToolChoice: r.ToolChoice, ParallelToolCalls: r.ParallelToolCalls, Previous: r.Previous,
	}
	if r.Instructions != "" {
		c.Messages = append([]message{{Role: "system", Content: content(r.Instructions)}}, c.Messages...)
	}
	return c
}

// planResponses reads a request of the Responses API and settles how it is answered.
func (s *Server) planResponses(r *http.Request, body []byte) (*exchange, *refusal) {
	var req responsesRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_json", "The body is not a request of the Responses API: " + err.Error()}
	}
	if req.Previous != "" && !s.gave(req.Previous) {
		return nil, &refusal{
			http.StatusBadRequest, "previous_response_not_found", "Previous response with id '" + req.Previous + "' not found.",
		}
	}
	return s.planReply(r, req.chat(), responsesForm)
}

// gave reports whether an earlier reply has this ID. None is forgotten.
func (s *Server) gave(id string) bool {
	number, ours := strings.CutPrefix(id, replyID)
	n, err := strconv.ParseInt(number, 10, 64)
	return ours && err == nil && n >= 1 && n <= s.serial.Load()
}

// responsesForm answers as the Responses API does.
var responsesForm = form{
	stream: func(r *reply) frames { return newEvents(r) },
	whole: func(r *reply) ([]byte, error) {
		e := newEvents(r)
		for i := range r.count {
			e.token(r, i)
		}
		e.closeItem()
		return json.Marshal(e.response(r.status()))
	},
}

// status is that of the whole response.
func (r *reply) status() string {
	if r.finish == "length" || r.finish == "content_filter" {
		return "incomplete"
	}
	return "completed"
}

// object is JSON that a response consists of.
type object = map[string]any

// events builds the events of one response, in their order.
type events struct {
	rep      *reply
	eol      string
	sequence int
	output   []object
	open     object          // the item that is being said
	said     strings.Builder // of it: its text, or its arguments
}

func newEvents(rep *reply) *events { return &events{rep: rep, eol: rep.eol()} }

func (e *events) happens(name string, members object) []byte {
	members["type"], members["sequence_number"] = name, e.sequence
	e.sequence++
	return []byte("event: " + name + e.eol + "data: " + string(mustJSON(members)) + e.eol + e.eol)
}

// of is an event of the open item.
func (e *events) of(name string, members object) []byte {
	members["output_index"], members["item_id"] = len(e.output), e.open["id"]
	return e.happens("response."+name, members)
}

// ofText is an event of the open item's only part.
func (e *events) ofText(name string, members object) []byte {
	members["content_index"] = 0
	return e.of(name, members)
}

// begin implements frames.
func (e *events) begin() []byte {
	response := object{"response": e.response("in_progress")}
	return append(e.happens("response.created", response), e.happens("response.in_progress", maps.Clone(response))...)
}

// event implements frames.
func (e *events) event(data string) []byte { return []byte("data: " + data + e.eol + e.eol) }

// more implements frames.
func (e *events) more(text []byte) []byte { return e.say(text) }

// token implements frames.
func (e *events) token(rep *reply, i int) []byte {
	if i < rep.words {
		return e.say(rep.appendToken(nil, i))
	}
	part := rep.calls[i-rep.words]
	if part.id != "" {
		closed := e.closeItem()
		return append(closed, e.openItem(object{
			"type": "function_call", "id": "fc_" + part.id, "call_id": part.id, "name": part.name, "arguments": "", "status": "in_progress",
		})...)
	}
	e.said.WriteString(part.arguments)
	return e.of("function_call_arguments.delta", object{"delta": part.arguments})
}

// say adds to the text, which is a JSON string, and opens the message first.
func (e *events) say(text []byte) []byte {
	var opening []byte
	if e.open == nil {
		opening = e.openItem(object{
			"type": "message", "id": "msg_" + e.rep.id, "role": "assistant", "status": "in_progress", "content": []object{},
		})
		opening = append(opening, e.ofText("content_part.added", object{"part": outputText("")})...)
	}
	var plain string
	if err := json.Unmarshal(text, &plain); err != nil {
		panic("mockllm: a token is always a string: " + err.Error())
	}
	e.said.WriteString(plain)
	return append(opening, e.ofText("output_text.delta", object{"delta": plain, "logprobs": []any{}})...)
}

func outputText(text string) object {
	return object{"type": "output_text", "text": text, "annotations": []any{}, "logprobs": []any{}}
}

func (e *events) openItem(item object) []byte {
	e.open = item
	return e.happens("response.output_item.added", object{"output_index": len(e.output), "item": maps.Clone(item)})
}

// closeItem ends the open item, if there is one, and counts it to the output.
func (e *events) closeItem() []byte {
	if e.open == nil {
		return nil
	}
	said := e.said.String()
	e.said.Reset()
	e.open["status"] = "completed"
	var end []byte
	if e.open["type"] == "message" {
		e.open["content"] = []object{outputText(said)}
		end = append(e.ofText("output_text.done", object{"text": said, "logprobs": []any{}}),
			e.ofText("content_part.done", object{"part": outputText(said)})...)
	} else {
		e.open["arguments"] = said
		end = e.of("function_call_arguments.done", object{"name": e.open["name"], "arguments": said})
	}
	end = append(end, e.happens("response.output_item.done", object{"output_index": len(e.output), "item": e.open})...)
	e.output = append(e.output, e.open)
	e.open = nil
	return end
}

// end implements frames.
func (e *events) end() ([][]byte, error) {
	closed, status := e.closeItem(), e.rep.status()
	return [][]byte{closed, e.happens("response."+status, object{"response": e.response(status)})}, nil
}

// response is the whole of it as far as it has been said.
func (e *events) response(status string) object {
	r := object{
		"id": e.rep.id, "object": "response", "created_at": e.rep.created, "status": status, "error": nil, "incomplete_details": nil,
		"instructions": nil, "metadata": object{}, "model": e.rep.request.Model, "output": append([]object{}, e.output...),
		"parallel_tool_calls": true, "temperature": 1, "top_p": 1, "tool_choice": "auto", "tools": []any{}, "usage": nil,
		"previous_response_id": nil,
	}
	if e.rep.request.Previous != "" {
		r["previous_response_id"] = e.rep.request.Previous
	}
	if status == "in_progress" {
		return r
	}
	if status == "incomplete" {
		r["incomplete_details"] = object{"reason": cmp.Or(map[string]string{"length": "max_output_tokens"}[e.rep.finish], e.rep.finish)}
	}
	if u := e.rep.usage(); !e.rep.script.NoUsage {
		r["usage"] = object{
			"input_tokens": u.PromptTokens, "input_tokens_details": object{"cached_tokens": 0},
			"output_tokens": u.CompletionTokens, "output_tokens_details": object{"reasoning_tokens": 0}, "total_tokens": u.TotalTokens,
		}
	}
	return r
}

func mustJSON(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic("mockllm: encode an event: " + err.Error())
	}
	return encoded
}
