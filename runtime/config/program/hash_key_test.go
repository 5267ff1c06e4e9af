package program

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
)

// A key is an expression over the request, and stands where calls are spread by it.
func TestHashKeysAreChecked(t *testing.T) {
	const here = "upstreams[0].consistentHash"
	for _, tt := range []struct {
		way        string
		hash       *config.KeyedBalancing
		path, text string
	}{
		{config.ConsistentHash, nil, here, "is required, because loadBalancing is ConsistentHash"},
		{"", &config.KeyedBalancing{Key: "${request.path}"}, here, "is not allowed, because loadBalancing is not ConsistentHash"},
		{config.RoundRobin, &config.KeyedBalancing{Key: "${request.path}"}, here, "is not allowed"},
		{config.ConsistentHash, &config.KeyedBalancing{}, here + ".key", "is the same for every request"},
		{config.ConsistentHash, &config.KeyedBalancing{Key: "always"}, here + ".key", "is the same for every request"},
		{config.ConsistentHash, &config.KeyedBalancing{Key: "${'a' + 'b'}"}, here + ".key", "is the same for every request"},
		{config.ConsistentHash, &config.KeyedBalancing{Key: "${request.host}"}, here + ".key", "column 10: undefined field 'host'; request has body"},
		{config.ConsistentHash, &config.KeyedBalancing{Key: "${input.q}"}, here + ".key", "the variables here are request"},
		{config.ConsistentHash, &config.KeyedBalancing{Key: "${request.path}", LoadPercent: 99}, here + ".loadPercent", "is 99, want from 100 to 1000"},
		{config.ConsistentHash, &config.KeyedBalancing{Key: "${request.path}", LoadPercent: 1001}, here + ".loadPercent", "is 1001"},
	} {
		c := valid()
		c.Upstreams[0].LoadBalancing, c.Upstreams[0].ConsistentHash = tt.way, tt.hash
		refuses(t, c, tt.path, tt.text)
	}
}

// Whether the body has to be decoded is known before there is a request.
func TestHashKeysThatReadBodies(t *testing.T) {
	got := map[string]bool{}
	want := map[string]bool{
		"${request.headers['x-session']}": false, "${request.path}-${request.params.tenant}": false,
		"${request.body.user}": true, "${request.headers['a']}${request.?body.?user.orValue('')}": true, "${request}": true,
		"${request.headers.exists(h, h == 'body') ? 'a' : 'b'}": false, "${[request].map(r, string(r.body.user))[0]}": true,
	}
	for key := range want {
		c := valid()
		c.Upstreams[0].LoadBalancing, c.Upstreams[0].ConsistentHash = config.ConsistentHash, &config.KeyedBalancing{Key: key}
		p, errs := Compile(c)
		if len(errs) > 0 {
			t.Fatalf("%s: %v", key, errs)
		}
		got[key] = p.HashKeys[c.Upstreams[0].Name].Reads.Member("body")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
