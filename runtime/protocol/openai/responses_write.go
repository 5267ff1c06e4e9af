package openai

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// ownResponse is a response that the gateway writes itself, because its upstream does not.
type ownResponse struct {
	id, model string
	created   time.Time
}

func newOwnResponse(model string, created time.Time) ownResponse {
	return ownResponse{id: "resp_" + uuid.NewString(), model: model, created: created}
}

// response writes the whole response. It does not repeat the request: these members have the values of a request without them.
func (a *ownResponse) response(status string, details, output []byte, usage jsontext.Value) []byte {
	o := rawjson.Object{}.With("id", rawjson.Quote(a.id)).With("object", rawjson.Quote("response")).
		With("created_at", strconv.AppendInt(nil, a.created.Unix(), 10)).With("status", rawjson.Quote(status)).
		With("error", []byte("null")).With("incomplete_details", details).With("instructions", []byte("null")).
		With("metadata", []byte("{}")).With("model", rawjson.Quote(a.model)).With("output", output).
		With("parallel_tool_calls", []byte("true")).With("previous_response_id", []byte("null")).With("store", []byte("false")).
		With("temperature", []byte("null")).With("tool_choice", rawjson.Quote("auto")).With("tools", []byte("[]")).
		With("top_p", []byte("null"))
	return o.With("usage", responseUsage(usage)).Done()
}

// WriteCompletion implements llm.Translated.
func (Responses) WriteCompletion(c *llm.Completion, model string, created time.Time) []byte {
	a := newOwnResponse(model, created)
	status, details := statusOf(c.FinishReason)
	var output [][]byte
	if c.Text != "" || c.Refusal != "" {
		output = append(output, messageItem(newItem("msg_"), status, messageParts(c.Text, c.Refusal)))
	}
	for _, call := range c.ToolCalls {
		output = append(output, callItem(newItem("fc_"), status, call))
	}
	return a.response(status, details, listed(output), c.Usage)
}

func newItem(prefix string) string { return prefix + uuid.NewString() }

func listed(items [][]byte) []byte {
	return rawjson.List(items, func(one []byte) []byte { return one })
}

// statusOf is the status of a response, and why it is not complete.
func statusOf(finishReason string) (status string, details []byte) {
	switch finishReason {
	case llm.FinishLength:
		return "incomplete", members("reason", "max_output_tokens")
	case llm.FinishContentFilter:
		return "incomplete", members("reason", "content_filter")
	}
	return "completed", []byte("null")
}

func messageItem(id, status string, parts []byte) []byte {
	return rawjson.Object{}.With("type", rawjson.Quote("message")).With("id", rawjson.Quote(id)).With("status", rawjson.Quote(status)).
		With("role", rawjson.Quote("assistant")).With("content", parts).Done()
}

func messageParts(text, refusal string) []byte {
	var parts [][]byte
	if text != "" {
		parts = append(parts, textPart(text))
	}
	if refusal != "" {
		parts = append(parts, refusalPart(refusal))
	}
	return listed(parts)
}

func textPart(text string) []byte {
	return rawjson.Object{}.With("type", rawjson.Quote("output_text")).With("text", rawjson.Quote(text)).
		With("annotations", []byte("[]")).With("logprobs", []byte("[]")).Done()
}

func refusalPart(refusal string) []byte {
	return rawjson.Object{}.With("type", rawjson.Quote("refusal")).With("refusal", rawjson.Quote(refusal)).Done()
}

func callItem(id, status string, call llm.ToolCall) []byte {
	return rawjson.Object{}.With("type", rawjson.Quote("function_call")).With("id", rawjson.Quote(id)).
		With("call_id", rawjson.Quote(call.ID)).With("name", rawjson.Quote(call.Name)).
		With("arguments", rawjson.Quote(call.Arguments)).With("status", rawjson.Quote(status)).Done()
}

// spent is the usage, in the words of a chat completion.
type spent struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
	Of         struct {
		Cached int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	By struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// responseSpent is the same in the words of a response.
type responseSpent struct {
	Input int64 `json:"input_tokens"`
	Of    struct {
		Cached int64 `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	Output int64 `json:"output_tokens"`
	By     struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total int64 `json:"total_tokens"`
}

// responseUsage translates a chat's usage into that of a response; null if there is none.
func responseUsage(usage jsontext.Value) []byte {
	var s spent
	if usage == nil || json.Unmarshal(usage, &s) != nil {
		return []byte("null")
	}
	r := responseSpent{Input: s.Prompt, Output: s.Completion, Total: max(s.Total, s.Prompt+s.Completion)}
	r.Of.Cached, r.By.Reasoning = s.Of.Cached, s.By.Reasoning
	return encoded(r)
}

// chatUsage translates a response's usage into that of a chat; nil if there is none.
func chatUsage(usage []byte) jsontext.Value {
	var r responseSpent
	if asUsage(usage) == nil || json.Unmarshal(asUsage(usage), &r) != nil {
		return nil
	}
	s := spent{Prompt: r.Input, Completion: r.Output, Total: max(r.Total, r.Input+r.Output)}
	s.Of.Cached, s.By.Reasoning = r.Of.Cached, r.By.Reasoning
	return encoded(s)
}

func encoded(counts any) []byte {
	text, err := json.Marshal(counts)
	if err != nil {
		return []byte("null")
	}
	return text
}
