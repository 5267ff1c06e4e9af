package front

import (
	"context"
	"fmt"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// byRoute lets a route answer in place of upstreams, if the client asks for an answer to a conversation.
func (c *endpoint) byRoute(ctx context.Context, req *relay.Request, asked llm.ClientRequest, m *Model) relay.Verdict {
	as, converses := c.Endpoint.(llm.Translated)
	if !converses {
		return c.refused(c.notHere(m.Name))
	}
	chat, wrong := asked.Chat()
	if wrong == nil {
		wrong = beyondRoutes(chat)
	}
	if wrong != nil {
		return c.refused(wrong)
	}
	return m.Route.Answer(ctx, req, &llm.Dialogue{
		Model: m.Name, Chat: chat, As: as, Errors: c.Front.Errors(), KeepAlive: m.KeepAlive,
	})
}

// notHere is the problem of a model that has other endpoints than this one.
func (c *endpoint) notHere(model string) *problem.Error {
	e := problem.NoModel(model)
	return e.WithMessage(fmt.Sprintf("The model %q does not have this endpoint; ask it at %s.", model, c.Prefix+c.Front.Path()))
}

// beyondRoutes is the problem of a request that no route can satisfy. Sampling and token limits are decided by the route: they
// are not refused, because nearly all clients send them.
func beyondRoutes(chat *llm.Chat) *problem.Error {
	refused := func(param, what string) *problem.Error {
		e := problem.New(problem.InvalidRequest).WithMessage("The model is answered by a route of this service, which " + what + ".")
		e.Param = param
		return e
	}
	switch {
	case len(chat.Tools) > 0 && chat.ToolChoice != "none":
		return refused("tools", "calls no tools of its clients")
	case chat.Output != nil:
		return refused("", "decides itself whether its answer is JSON")
	case len(chat.Stop) > 0:
		return refused("stop", "cannot be told where to stop")
	}
	return nil
}
