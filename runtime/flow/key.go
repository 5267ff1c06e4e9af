package flow

import (
	"context"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// key is the key by which an upstream chooses an endpoint for the request. If its expression fails, there is none.
func (q *request) key(ctx context.Context, u *upstream.Upstream) upstream.Key {
	k := q.env.HashKeys[u.Name]
	if k == nil {
		return 0
	}
	return q.env.hashed(ctx, q.body, func() (string, error) { return k.Of(ctx, q.seen, q.work) })
}

// Key is the key of a request that no route answers: a client's to a model.
func (e *Environment) Key(ctx context.Context, req *relay.Request, u *upstream.Upstream) upstream.Key {
	k := e.HashKeys[u.Name]
	if k == nil {
		return 0
	}
	if k.Reads.Member("body") && req.Memory != nil {
		decoded := schema.DecodedBytes(req.Body)
		if req.Memory.Reserve(ctx, decoded) != nil {
			return 0
		}
		defer req.Memory.Return(decoded)
	}
	return e.hashed(ctx, len(req.Body), func() (string, error) { return e.sent(ctx, req, k) })
}

// sent is the text of a key for a request as it came. If readers disagree about a body, the upstream may refuse it.
func (e *Environment) sent(ctx context.Context, req *relay.Request, k *program.HashKey) (string, error) {
	seen := e.seen(req, &k.Reads, map[string]any{}, nil)
	if k.Reads.Member("body") {
		var err error
		if seen["body"], err = schema.DecodeLenient(ctx, req.Body); err != nil {
			return "", err //nolint:wrapcheck // nobody sees it
		}
	}
	return k.Of(ctx, seen, expr.NewCostBudget(expr.MaxCost, expr.MaxOutput)) //nolint:wrapcheck // nobody sees it
}

// hashed is the key of a text that is made from this many bytes. The text does not outlive its worker, so its memory is not
// reserved.
func (e *Environment) hashed(ctx context.Context, size int, text func() (string, error)) upstream.Key {
	key, _ := admitted(ctx, e, size, func() (upstream.Key, error) {
		text, err := text()
		return upstream.NewKey(text), err
	})
	return key
}
