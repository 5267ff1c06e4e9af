package front

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// asking is one client's request to the upstreams of its model. If an upstream has the client's endpoint, bytes pass both ways
// as they are, except for the model's name.
type asking struct {
	*endpoint

	plan    upstream.Plan
	request llm.ClientRequest
	model   *Model
	reply   []byte
	once    []string    // the client's Idempotency-Key: each attempt has the same
	kept    relay.Meter // for the part of its answer that an attempt's stream keeps
	from    llm.Place   // where an attempt's answer comes from
	streams bool
	hide    bool // the client has not asked for its stream's usage; set once an upstream was asked
}

// spend is called with the usage of calls for the request; it may be nil.
func (a *asking) spend() func(upstream.Spent) {
	if a.Spent == nil {
		return nil
	}
	return func(s upstream.Spent) { a.Spent(a.path, a.model.Name, s) }
}

// answer is the whole answer.
func (a *asking) answer(ctx context.Context) *relay.Reply {
	if _, err := upstream.Fetch(ctx, a.Client, a.plan.Attempts(), upstream.Expect{}, a.Observe); err != nil {
		requestlog.Of(ctx).Failed(err)
		return a.refuse(err)
	}
	return relay.JSON(a.reply)
}

// whole is the question for a whole answer.
func (a *asking) whole(u *upstream.Upstream) (*upstream.Question, error) {
	q, err := a.question(u)
	if err != nil {
		return nil, err
	}
	q.Read = func(f *upstream.Fetched) (err error) {
		a.reply, err = a.read(u, f.Body, q.Used)
		return err
	}
	return q, nil
}

func (a *asking) read(u *upstream.Upstream, body []byte, used *llm.Used) ([]byte, error) {
	to, translated := a.translated(u)
	if !translated {
		return a.passed().Rename(body, a.model.Name, used) //nolint:wrapcheck // it names what is wrong with the answer
	}
	done, err := u.Dialect.ReadCompletion(body)
	if err != nil {
		return nil, err //nolint:wrapcheck // likewise
	}
	used.Count(done.Tokens, done.Bytes())
	return to.WriteCompletion(done, a.model.Name, time.Now()), nil
}

// translated is the client's endpoint for an upstream without it; false if bytes pass.
func (a *asking) translated(u *upstream.Upstream) (llm.Translated, bool) {
	if u.Passes(a.Endpoint) {
		return nil, false
	}
	to, can := a.Endpoint.(llm.Translated)
	return to, can
}

// passed is the client's endpoint for an answer that passes.
func (a *asking) passed() llm.Endpoint {
	if k, keeps := a.Endpoint.(llm.Keeper); keeps {
		return k.At(a.from)
	}
	return a.Endpoint
}

// stream is the question for a stream.
func (a *asking) stream(ctx context.Context, u *upstream.Upstream) (*upstream.Question, error) {
	q, err := a.question(u)
	if err != nil {
		return nil, err
	}
	to, translated := a.translated(u)
	if !translated {
		chosen := q.Chosen
		q.Chosen = func(at llm.Place) {
			chosen(at)
			q.Tap = llm.NewTap(a.passed(), llm.TapOptions{Alias: a.model.Name, HideUsage: a.hide, Used: q.Used})
		}
		return q, nil
	}
	writer := to.NewStream(a.model.Name, time.Now())
	options := llm.TapOptions{Writer: writer, Rest: writer.Rest, HideUsage: a.hide, Used: q.Used}
	if _, recalls := writer.(llm.Recaller); recalls {
		options.Collector = llm.NewCollector(a.keeping(ctx))
	}
	q.Tap = llm.NewTap(u.Dialect, options)
	return q, nil
}

// keptCopies is how often a streamed answer is in memory if its end repeats it: in the collector, and in the events of the end.
const keptCopies = 4

var errMuch = errors.New("the answer is too large to be repeated at its end")

// keeping admits what an attempt keeps of its answer; what the last attempt kept is dropped then.
func (a *asking) keeping(ctx context.Context) func(bytes int) error {
	a.kept.Empty()
	sum := 0
	return func(bytes int) error {
		if sum += bytes; sum > upstream.MaxWhole {
			return relay.Failure{Kind: relay.FailedTooLarge, Err: errMuch}
		}
		return a.kept.Grow(ctx, keptCopies*bytes) //nolint:wrapcheck // it is a Failure already
	}
}

// idempotencyKey lets a server recognise requests that are sent more than once.
const idempotencyKey = "Idempotency-Key"

// question is the request in the dialect of an upstream, with the client's Idempotency-Key.
func (a *asking) question(u *upstream.Upstream) (*upstream.Question, error) {
	q, err := a.put(u)
	if err != nil || len(a.once) == 0 {
		return q, err
	}
	q.Header = q.Header.Clone()
	if q.Header == nil {
		q.Header = http.Header{}
	}
	q.Header[idempotencyKey] = a.once
	return q, nil
}

// put writes the request in the dialect of an upstream. A refusal is explained only if the upstream was sent the client's own
// words.
func (a *asking) put(u *upstream.Upstream) (*upstream.Question, error) {
	if u.Passes(a.Endpoint) {
		q := &upstream.Question{Path: a.Path(), Explain: a.said, Chosen: func(at llm.Place) { a.from = at }, Used: &llm.Used{}}
		if a.streams {
			q.Body, a.hide = a.request.WithUsage(u.Model)
		} else {
			q.Body = a.request.WithModel(u.Model)
		}
		return q, nil
	}
	if _, can := a.translated(u); !can || !u.Converses() {
		return nil, unasked("The model is served by an upstream that does not have this endpoint."+a.instead(u), "")
	}
	chat, wrong := a.request.Chat()
	if wrong != nil {
		return nil, unasked(wrong.Message, wrong.Param)
	}
	chat.CountUsage, a.hide = true, !chat.IncludeUsage
	asked, err := u.Dialect.AskChat(chat, u.Model)
	if err != nil {
		return nil, unasked("The model is served by an upstream of another protocol, which cannot be asked this: "+err.Error()+".", "")
	}
	return upstream.NewQuestion(asked), nil
}

// instead names the endpoints that an upstream has.
func (c *endpoint) instead(u *upstream.Upstream) string {
	var paths []string
	for _, e := range c.Front.Endpoints() {
		if u.Passes(e) {
			paths = append(paths, c.Prefix+e.Path())
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return " It has " + strings.Join(paths, ", ") + "."
}

// said is what the client may read of an upstream's refusal.
func (a *asking) said(body []byte) *problem.Said { return a.explain(a.Front.ReadRejection(body)) }

// unasked is the failure of an upstream to which a request cannot be put: another may take it. The client gets the error that
// it would get if the upstream had refused it.
func unasked(message, param string) relay.Failure {
	return relay.Failure{
		Kind: relay.FailedStatus, Status: http.StatusBadRequest, Unsent: true,
		Said: &problem.Said{Message: message, Param: param},
	}
}
