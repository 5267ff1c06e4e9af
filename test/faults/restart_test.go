package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// restarting is held while the API server is away. What the suite itself asks waits; operators see connections that are refused.
var restarting sync.RWMutex

// patient is the way of the suite to the API server.
type patient struct{ next http.RoundTripper }

func (p patient) RoundTrip(sent *http.Request) (*http.Response, error) {
	restarting.RLock()
	defer restarting.RUnlock()
	response, err := p.next.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

// patientClient is the administrator's.
func patientClient() (client.Client, error) {
	config := rest.CopyConfig(server.Admin)
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return patient{next} }
	made, err := client.New(config, client.Options{Scheme: server.Client.Scheme()})
	if err != nil {
		return nil, fmt.Errorf("build client: %w", err)
	}
	return made, nil
}

// restarted is the class of these faults.
const restarted = "API server restarted"

// restart kills the API server at the operator's write k, counted from 1, and starts it again before the same etcd.
type restart struct {
	nothing

	k     int64
	after bool
	count *atomic.Int64
	// first is done by the first of several that are played at once: they have one API server.
	first *sync.Once
}

func (f restart) write(r *run, _ *link, _ *write, pass send) (*http.Response, error) {
	if f.count.Add(1) != f.k {
		return pass()
	}
	var response *http.Response
	err := errCut
	if f.after {
		response, err = pass()
	}
	restarted := false
	f.first.Do(func() {
		restarting.Lock()
		defer restarting.Unlock()
		if err := server.Restart(context.Background()); err != nil {
			r.t.Errorf("the API server: %v", err)
		}
		r.notef("the API server was restarted")
		restarted = true
	})
	switch {
	case !restarted && !f.after:
		return pass()
	case !restarted || err != nil:
		return response, err
	default:
		_ = response.Body.Close() // the answer is lost
		return nil, errCut
	}
}

// scriptsAtOnce share a restart.
const scriptsAtOnce = 5

// TestAPIServerRestarts plays scripts while the API server is restarted, at a write that is drawn at random.
func TestAPIServerRestarts(t *testing.T) {
	c := chosen(t)
	some := slices.DeleteFunc(slices.Clone(scripts), func(s script) bool { return !c.plays(s, restarted) })
	for some := range slices.Chunk(some, scriptsAtOnce) {
		var ends sync.Map
		together(t, "undisturbed", some, func(t *testing.T, s script) {
			t.Helper()
			ends.Store(s.name, play(t, s, nothing{}, c.seed).result())
		})
		for stream, when := range []string{"before a write", "after a write"} {
			random := rand.New(rand.NewPCG(c.seed, uint64(stream)))
			k := 1 + random.Int64N(10) // which every script gets to
			var first sync.Once
			together(t, fmt.Sprintf("%s, %d", when, k), some, func(t *testing.T, s script) {
				t.Helper()
				undisturbed, ok := ends.Load(s.name)
				if !ok {
					return // it failed
				}
				count(t, s.name)
				compare(t, restart{k: k, after: stream == 1, count: new(atomic.Int64), first: &first}, undisturbed.(end), c.seed, s)
			})
			first.Do(func() {
				if len(some) > 0 {
					t.Errorf("nothing was restarted at write %d", k)
				}
			})
		}
	}
}

// together plays scripts at once, and returns when they are through.
func together(t *testing.T, name string, some []script, do func(*testing.T, script)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		for _, s := range some {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				do(t, s)
			})
		}
	})
}
