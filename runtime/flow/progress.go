package flow

import (
	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
)

// progress is a stream's report about a step, or about a tool that an agent's step calls.
type progress struct {
	Step  string `json:"step"`
	Tool  string `json:"tool,omitempty"`
	ID    string `json:"id,omitempty"`
	State string `json:"state"`
}

// The states of a step or tool.
const (
	stateStarted   = "started"
	stateSucceeded = "succeeded"
	stateFailed    = "failed"
	stateSkipped   = "skipped"
)

// tellStep reports the state of a step. If that fails, the next one that sends gets the error.
func (f *frame) tellStep(state string) {
	if f.stream != nil && f.stream.steps && f.name != "" {
		f.tell(progress{Step: f.name, State: state})
	}
}

// tellTool reports the state of a tool's call, never its result.
func (f *frame) tellTool(call llm.ToolCall, state string) {
	if f.stream != nil && f.stream.progress != nil && f.name != "" {
		f.tell(progress{Step: f.name, Tool: call.Name, ID: call.ID, State: state})
	}
}

func (f *frame) tell(p progress) {
	data, err := json.Marshal(p)
	if err != nil {
		return
	}
	_ = f.stream.sender.Send(f.stream.progress(data), relay.Preamble)
}
