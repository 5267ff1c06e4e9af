package flow

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// hashing is an environment whose upstream has a key.
func hashing(t *testing.T, key string) (*Environment, *upstream.Upstream) {
	t.Helper()
	c := compiled(t, settings{}).Config
	c.Upstreams[0].LoadBalancing, c.Upstreams[0].ConsistentHash = config.ConsistentHash, &config.KeyedBalancing{Key: key}
	p, errs := program.Compile(c)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	free := func(context.Context, int) (func(), error) { return func() {}, nil }
	return &Environment{HashKeys: p.HashKeys, Heavy: free}, &upstream.Upstream{Name: c.Upstreams[0].Name}
}

// Each key that a route's calls need costs the request as much as its expression, until nothing is left for any expression.
func TestKeysCost(t *testing.T) {
	env, u := hashing(t, "${request.body.user.split('').map(c, c + c).size()}")
	q := &request{
		Route: &Route{env: env}, work: expr.NewCostBudget(maxWork, 1<<20),
		seen: map[string]any{"body": map[string]any{"user": strings.Repeat("x", 50_000)}},
	}
	keys := 0
	for q.key(t.Context(), u) != 0 {
		if keys++; keys > 10_000 {
			t.Fatal("keys cost nothing")
		}
	}
	if keys < 10 {
		t.Errorf("only %d keys", keys)
	}
	q.env, u = hashing(t, "${request.method}")
	q.seen = map[string]any{"method": "POST"}
	if q.key(t.Context(), u) != 0 {
		t.Error("another key is evaluated beyond the request's limit")
	}
	q.work = expr.NewCostBudget(maxWork, 1<<20)
	if q.key(t.Context(), u) == 0 {
		t.Error("another request has no key")
	}
}

// noted is a memory that records what is reserved.
type noted struct {
	err            error
	reserved, most int
}

func (n *noted) Reserve(_ context.Context, bytes int) error {
	if n.err != nil {
		return n.err
	}
	n.reserved += bytes
	n.most = max(n.most, n.reserved)
	return nil
}

func (n *noted) Return(bytes int) { n.reserved -= bytes }
func (*noted) Branch(int)         {}

// A client's body is decoded for a key that reads it, as long as there is memory, and as leniently as upstreams read it.
func TestKeysReserveTheBody(t *testing.T) {
	const body = `{"user":"ann","user":"joe"}`
	for name, tt := range map[string]struct {
		key, body string
		err       error
		want      string
		decoded   bool
	}{
		"the body":     {"${request.body.user}", body, nil, "joe", true},
		"a header":     {"${request.headers['x-session']}", body, relay.Failure{Kind: relay.FailedMemory}, "s1", false},
		"no memory":    {"${request.body.user}", body, relay.Failure{Kind: relay.FailedMemory}, "", false},
		"not JSON":     {"${request.body.user}", `{"user"`, nil, "", true},
		"too much":     {"${request.body.user.split('').map(a, request.body.user.split('').map(b, a + b)).size()}", `{"user":"` + strings.Repeat("x", 5000) + `"}`, nil, "", true},
		"a credential": {"${request.headers['authorization']}", body, nil, "", false},
	} {
		env, u := hashing(t, tt.key)
		memory := &noted{err: tt.err}
		got := env.Key(t.Context(), &relay.Request{
			Head: relay.Head{Method: http.MethodPost, Header: http.Header{"X-Session": {"s1"}, "Authorization": {"Bearer x"}}},
			Body: []byte(tt.body), Memory: memory,
		}, u)
		reserved := 0
		if tt.decoded {
			reserved = schema.DecodedBytes([]byte(tt.body))
		}
		if got != upstream.NewKey(tt.want) || memory.reserved != 0 || memory.most != reserved {
			t.Errorf("%s: key %x, %d bytes reserved at most, %d in the end", name, got, memory.most, memory.reserved)
		}
	}
}
