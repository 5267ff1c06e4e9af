package mockllm

import (
	"encoding/json"
	"fmt"
	"strings"
)

// argumentsPiece is how many bytes of a call's arguments make a token.
const argumentsPiece = 8

// callPart is what one chunk tells of a tool call. The first part of a call
// has its id and name, the others a piece of its arguments.
type callPart struct {
	index     int
	id, name  string
	arguments string
}

// callParts cuts tool calls into tokens. Ids differ between the turns of a
// conversation, and are the same whenever it is held again.
func callParts(calls []ToolCall, req *chatRequest) []callPart {
	if parallel := req.ParallelToolCalls; parallel != nil && !*parallel {
		calls = calls[:1]
	}
	var parts []callPart
	for i, c := range calls {
		parts = append(parts, callPart{index: i, id: fmt.Sprintf("call_%d_%d", turn(req.Messages), i), name: c.Name})
		for _, piece := range pieces(c.arguments(), argumentsPiece) {
			parts = append(parts, callPart{index: i, arguments: piece})
		}
	}
	return parts
}

func (c ToolCall) arguments() string {
	var text string
	switch {
	case c.Arguments == nil:
		return "{}"
	case json.Unmarshal(c.Arguments, &text) == nil:
		return text
	}
	return compact(c.Arguments)
}

// delta is the part in a chunk, as JSON.
func (p callPart) delta() string {
	head := ""
	if p.id != "" {
		head = `"id":` + string(quote(p.id)) + `,"type":"function",`
	}
	name := ""
	if p.name != "" {
		name = `"name":` + string(quote(p.name)) + `,`
	}
	return fmt.Sprintf(`{"tool_calls":[{"index":%d,%s"function":{%s"arguments":%s}}]}`, p.index, head, name, quote(p.arguments))
}

// toolCalls are all parts as the tool_calls of a message.
func toolCalls(parts []callPart) string {
	var calls []string
	for i := 0; i < len(parts); {
		begin := parts[i]
		var arguments strings.Builder
		for i++; i < len(parts) && parts[i].index == begin.index; i++ {
			arguments.WriteString(parts[i].arguments)
		}
		calls = append(calls, fmt.Sprintf(`{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`,
			quote(begin.id), quote(begin.name), quote(arguments.String())))
	}
	return "[" + strings.Join(calls, ",") + "]"
}
