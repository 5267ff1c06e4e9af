package llm

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/rawjson"
)

// Collector assembles a streamed answer, as if it had come whole.
type Collector struct {
	keep    func(bytes int) error
	text    []byte
	refusal []byte
	calls   []*collectedCall // in the order in which they began
	finish  string
	usage   jsontext.Value
	err     error
	forgets bool // all but finish and usage
}

type collectedCall struct {
	index     int
	id, name  string
	arguments []byte
}

// NewCollector returns a collector that calls keep before it keeps bytes of text, refusal and tool calls. The error of keep is
// a relay.Failure.
func NewCollector(keep func(bytes int) error) *Collector { return &Collector{keep: keep} }

// Forget makes the collector keep only the finish reason and the usage, for an answer that is not read after it was passed on.
func (c *Collector) Forget() { c.forgets = true }

// Err is why the collector keeps no more: the answer has more than MaxToolCalls, or keep returned an error.
func (c *Collector) Err() error { return c.err }

// Completion is the answer so far.
func (c *Collector) Completion() *Completion {
	done := &Completion{
		Text: string(c.text), Refusal: string(c.refusal), FinishReason: c.finish, Usage: c.usage, Tokens: TokensOf(c.usage),
	}
	calls := slices.Clone(c.calls)
	slices.SortStableFunc(calls, func(a, b *collectedCall) int { return cmp.Compare(a.index, b.index) })
	for _, call := range calls {
		done.ToolCalls = append(done.ToolCalls, ToolCall{ID: call.id, Name: call.name, Arguments: call.said()})
	}
	return done
}

// Calls are the tool calls so far, in the order in which they began.
func (c *Collector) Calls() []ToolCall {
	calls := make([]ToolCall, len(c.calls))
	for i, call := range c.calls {
		calls[i] = ToolCall{ID: call.id, Name: call.name, Arguments: call.said()}
	}
	return calls
}

// CallOf returns the index in Calls of the call to which the last added part belongs.
func (c *Collector) CallOf(part *ToolCallDelta) int {
	if call := c.find(part); call != nil {
		return slices.Index(c.calls, call)
	}
	return len(c.calls) - 1
}

// said is the arguments so far.
func (c *collectedCall) said() string { return string(rawjson.Settle(bytes.Clone(c.arguments))) }

// Add adds the next part. It returns the error of Err.
func (c *Collector) Add(d *Delta) error {
	if c.forgets {
		d = &Delta{FinishReason: d.FinishReason, Usage: d.Usage}
	}
	c.take(len(d.Text) + len(d.Refusal))
	for i := range d.ToolCalls {
		part := &d.ToolCalls[i]
		c.take(len(part.ID) + len(part.Name) + len(part.Arguments))
	}
	if c.err != nil {
		return c.err
	}
	c.text = append(c.text, d.Text...)
	c.refusal = append(c.refusal, d.Refusal...)
	for i := range d.ToolCalls {
		c.addCall(&d.ToolCalls[i])
	}
	c.finish = cmp.Or(d.FinishReason, c.finish)
	if d.Usage != nil {
		c.usage = d.Usage
	}
	return c.err
}

func (c *Collector) take(bytes int) {
	if c.err == nil && bytes > 0 {
		c.err = c.keep(bytes)
	}
}

func (c *Collector) addCall(part *ToolCallDelta) {
	call := c.find(part)
	if call == nil {
		if len(c.calls) == MaxToolCalls {
			c.err = ErrTooManyCalls
			return
		}
		call = &collectedCall{index: part.Index}
		if part.Index < 0 {
			call.index = c.nextIndex()
		}
		c.calls = append(c.calls, call)
	}
	call.id = cmp.Or(call.id, part.ID)
	if call.name != part.Name { // some servers (older vLLM) repeat it in every part
		call.name += part.Name
	}
	call.arguments = rawjson.AppendText(call.arguments, part.Arguments)
}

// find returns the call that a part belongs to; nil if it begins a new one. The protocol identifies calls by index. Some
// servers give every call the same index (Gemini's, lmdeploy): there, another id together with a name begins a call. Another id
// alone does not, because some servers make one up for each part.
func (c *Collector) find(part *ToolCallDelta) *collectedCall {
	if part.Index < 0 {
		return c.findWithoutIndex(part)
	}
	for _, call := range slices.Backward(c.calls) {
		if call.index == part.Index {
			if part.Name != "" && part.ID != "" && call.id != "" && part.ID != call.id {
				return nil
			}
			return call
		}
	}
	return nil
}

// findWithoutIndex identifies a part by its id. One without an id begins a call if it has a name.
func (c *Collector) findWithoutIndex(part *ToolCallDelta) *collectedCall {
	for _, call := range slices.Backward(c.calls) {
		if part.ID != "" && part.ID == call.id {
			return call
		}
	}
	if part.Name != "" || len(c.calls) == 0 {
		return nil
	}
	return c.calls[len(c.calls)-1]
}

func (c *Collector) nextIndex() int {
	next := 0
	for _, call := range c.calls {
		next = max(next, call.index+1)
	}
	return next
}
