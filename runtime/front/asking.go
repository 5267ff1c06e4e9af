package front

import (
	"context"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// asking is one client's request, as it is put to the upstreams of its model. Where one of them speaks the client's dialect,
// bytes pass both ways as they are, but for the model's name.
type asking struct {
	*completions

	request llm.ClientRequest
	model   *Model
	reply   []byte
}

// answer is the whole answer.
func (a *asking) answer(ctx context.Context, plan *upstream.Plan) *relay.Reply {
	if _, err := upstream.Fetch(ctx, a.Client, plan.Attempts(), upstream.Expect{}, a.Observe); err != nil {
		return a.refuse(err)
	}
	return relay.JSON(a.reply)
}

// whole asks for a whole answer.
func (a *asking) whole(u *upstream.Upstream) (*upstream.Question, error) {
	q, err := a.question(u)
	if err != nil {
		return nil, err
	}
	q.Read = func(f *upstream.Fetched) error {
		a.reply, err = a.read(u.Dialect, f.Body)
		return err
	}
	return q, nil
}

func (a *asking) read(d llm.Dialect, body []byte) ([]byte, error) {
	if d == a.Front {
		return a.Front.Rename(body, a.model.Name) //nolint:wrapcheck // it says what is wrong with the answer
	}
	done, err := d.ReadCompletion(body)
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	return a.Front.WriteCompletion(done, a.model.Name, time.Now()), nil
}

// stream asks for a stream.
func (a *asking) stream(u *upstream.Upstream) (*upstream.Question, error) {
	q, err := a.question(u)
	if err != nil {
		return nil, err
	}
	if u.Dialect == a.Front {
		q.Tap = llm.NewTap(u.Dialect, llm.TapOptions{Alias: a.model.Name})
		return q, nil
	}
	writer := a.Front.NewStream(a.model.Name, time.Now())
	q.Tap = llm.NewTap(u.Dialect, llm.TapOptions{Writer: writer, Rest: writer.Rest})
	return q, nil
}

// question is the request in the words of an upstream. Only what was sent in the client's own words is explained in them.
func (a *asking) question(u *upstream.Upstream) (*upstream.Question, error) {
	if u.Dialect == a.Front {
		return &upstream.Question{Path: a.Front.ChatPath(), Body: a.request.WithModel(u.Model), Explain: a.said}, nil
	}
	chat, wrong := a.request.Chat()
	if wrong != nil {
		return nil, unasked(wrong.Message, wrong.Param)
	}
	asked, err := u.Dialect.AskChat(chat, u.Model)
	if err != nil {
		return nil, unasked("The model is served by an upstream of another protocol, which cannot be asked this: "+err.Error()+".", "")
	}
	return upstream.NewQuestion(asked), nil
}

// said is what the client may be told of an upstream's refusal.
func (a *asking) said(body []byte) *problem.Said { return a.explain(a.Front.ReadRejection(body)) }

// unasked is the failure of an upstream to which a request cannot be put: another may take it. The client is told as if the
// upstream had refused it.
func unasked(message, param string) relay.Failure {
	return relay.Failure{
		Kind: relay.FailedStatus, Status: http.StatusBadRequest, Unsent: true,
		Said: &problem.Said{Message: message, Param: param},
	}
}
