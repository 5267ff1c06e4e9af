package parley

import (
	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// clientTalk implements llm.ClientRequest.
type clientTalk struct {
	Talk

	body  []byte
	brain rawjson.Span
}

// ReadRequest implements llm.Front.
func (Dialect) ReadRequest(body []byte) (llm.ClientRequest, *problem.Error) {
	r := &clientTalk{body: body}
	err := rawjson.Members(body, func(name []byte, at rawjson.Span) {
		if string(name) == "brain" {
			r.brain = at
		}
	})
	if err != nil || json.Unmarshal(body, &r.Talk) != nil {
		return nil, problem.Unreadable(err, 64)
	}
	if r.Brain == "" {
		return nil, problem.WrongValue("brain", "a string")
	}
	return r, nil
}

func (r *clientTalk) Wants() (model string, stream bool) { return r.Brain, r.Live }

func (r *clientTalk) WithModel(name string) pieces.Text {
	return rawjson.Pieces(r.body, rawjson.Edit{At: r.brain, By: rawjson.Quote(name)})
}

// WithUsage implements llm.ClientRequest: the protocol's streams always have the usage.
func (r *clientTalk) WithUsage(name string) (pieces.Text, bool) { return r.WithModel(name), false }

func (r *clientTalk) Chat() (*llm.Chat, *problem.Error) {
	for name := range r.MoreWays {
		return nil, problem.WrongValue(name, "left out")
	}
	c := &llm.Chat{
		Stream: r.Live, IncludeUsage: r.Live, ToolChoice: r.MustUse, ParallelToolCalls: r.AtOnce, MaxTokens: r.Cap,
		Temperature: r.Heat, TopP: r.Spread, Stop: r.Halts,
	}
	if r.Shape != nil {
		c.Output = &llm.Output{Name: "shape", Schema: r.Shape}
	}
	for _, g := range r.Gear {
		c.Tools = append(c.Tools, llm.Tool{Name: g.Label, Description: g.About, Parameters: g.Shape})
	}
	for i := range r.Turns {
		c.Messages = append(c.Messages, r.Turns[i].message())
	}
	return c, nil
}
