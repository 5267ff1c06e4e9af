package gateway

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
)

// prompt is the assistant's config with another system prompt.
func prompt(url, text string) *config.Config {
	c := assistant(url)
	for i := range c.Routes {
		c.Routes[i].Steps[0].Chat.Messages = []config.Message{{Role: "system", Content: text}, c.Routes[i].Steps[0].Chat.Messages[1]}
	}
	return c
}

func TestReloadInPlace(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	r := start(t, prompt(url, "old prompt"))
	before := r.g.Status().Revision
	open := r.post("/stream", question(`{"tokens":30,"tokenDelay":"20ms"}`))

	next := prompt(url, "new prompt")
	next.Routes[0].Path = "/renamed"
	r.write(delivery.CurrentKey, encode(t, next))
	want := delivery.Revision(encode(t, next))
	r.await("the new revision", func(s report.Status) bool { return s.Revision == want && want != before })

	if resp := r.post("/answer", question("{}")); resp.StatusCode != 200 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	requests := mock.Requests()
	if body := string(requests[len(requests)-1].Body); !strings.Contains(body, "new prompt") {
		t.Errorf("after the reload asked with %s", body)
	}
	if chunks := events(t, open); chunks[len(chunks)-1] != "[DONE]" {
		t.Errorf("the stream that was open ended by %s", chunks[len(chunks)-1])
	}
}

func TestABadConfigChangesNothing(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	before := r.g.Status().Revision
	for name, bad := range map[string]string{
		"not JSON":         `{`,
		"another version":  `{"version":"v9"}`,
		"an unknown field": `{"version":"v1","service":{"name":"x"},"runtime":{"maxInFlight":1},"nope":1}`,
		"a bad reference":  strings.Replace(string(encode(t, assistant(url))), `"upstream":"a"`, `"upstream":"z"`, 1),
	} {
		r.write(delivery.CurrentKey, []byte(bad))
		want := delivery.Revision([]byte(bad))
		r.await(name+" is rejected", func(s report.Status) bool { return s.Rejected != nil && s.Rejected.Revision == want })
		if s := r.g.Status(); s.Revision != before || s.Source != delivery.CurrentKey {
			t.Errorf("%s: serves %s of %s", name, s.Revision, s.Source)
		}
		if resp := r.post("/answer", question("{}")); resp.StatusCode != 200 {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	r.write(delivery.CurrentKey, encode(t, assistant(url)))
	r.await("the rejection is gone", func(s report.Status) bool { return s.Rejected == nil })
}

func TestANewReplicaServesTheLastGoodConfig(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, nil)
	if status := r.admin(report.ReadyPath); status != 503 {
		t.Errorf("ready without a config: %d", status)
	}
	if resp := r.post("/answer", question("{}")); resp.StatusCode != 503 {
		t.Errorf("without a config: %d", resp.StatusCode)
	}
	good := encode(t, assistant(url))
	r.write(delivery.LastGoodKey, good)
	r.write(delivery.CurrentKey, []byte(`{"version":"v2"}`))
	r.await("the last good config", func(s report.Status) bool { return s.Source == delivery.LastGoodKey && s.Rejected != nil })
	if got, want := r.g.Status().Revision, delivery.Revision(good); got != want {
		t.Errorf("serves %s, want %s", got, want)
	}
	if status := r.admin(report.ReadyPath); status != 200 {
		t.Errorf("ready: %d", status)
	}
}

// The kubelet writes a new directory and renames a symbolic link to it.
func TestReloadAsTheKubeletWrites(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, nil)
	publish := func(name string, content []byte) {
		dir := filepath.Join(r.dir, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, delivery.CurrentKey), content, 0o600); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(r.dir, "..data_tmp")
		if err := os.Symlink(name, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(r.dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	first, second := encode(t, prompt(url, "one")), encode(t, prompt(url, "two"))
	publish("..1", first)
	if err := os.Symlink(filepath.Join("..data", delivery.CurrentKey), filepath.Join(r.dir, delivery.CurrentKey)); err != nil {
		t.Fatal(err)
	}
	r.await("the first", func(s report.Status) bool { return s.Revision == delivery.Revision(first) })
	publish("..2", second)
	r.await("the second", func(s report.Status) bool { return s.Revision == delivery.Revision(second) })
}

func (r *replica) admin(path string) int {
	r.t.Helper()
	resp, err := r.client.Get(r.adminURL + path)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// The limit of bodies is the config's, and changes with it; a request is told the one that it began with.
func TestTheLimitOfBodiesIsLive(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	limited := func(limit int64) *config.Config {
		c := assistant(url)
		c.Runtime.RequestBodyLimit = limit
		return c
	}
	r := start(t, limited(2000))
	large := `{"question":"` + strings.Repeat("x", 3000) + `"}`
	for _, limit := range []int64{2000, 10_000, 2500} {
		next := encode(t, limited(limit))
		r.write(delivery.CurrentKey, next)
		r.await("the limit", func(s report.Status) bool { return s.Revision == delivery.Revision(next) })
		resp := r.post("/answer", large)
		told := text(t, resp)
		if refused := limit < 3000; refused != (resp.StatusCode == 413) || refused != strings.Contains(told, strconv.FormatInt(limit, 10)) {
			t.Errorf("limit %d: %d %s", limit, resp.StatusCode, told)
		}
	}
}

func TestDrainLetsStreamsEnd(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url), func(o *Options) { o.DrainDelay = 500 * time.Millisecond })
	open := r.post("/stream", question(`{"tokens":50,"tokenDelay":"20ms"}`))
	r.begin()
	r.await("draining", func(s report.Status) bool { return s.Draining })
	if status := r.admin(report.ReadyPath); status != 503 {
		t.Errorf("ready while draining: %d", status)
	}
	if status := r.admin(report.LivePath); status != 200 {
		t.Errorf("live while draining: %d", status)
	}
	late := r.post("/answer", question("{}"))
	if late.StatusCode != 200 || !late.Close {
		t.Errorf("during the delay: status %d, close %v; want 200 on a connection that closes", late.StatusCode, late.Close)
	}
	if chunks := events(t, open); chunks[len(chunks)-1] != "[DONE]" {
		t.Errorf("ended by %s", chunks[len(chunks)-1])
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if s := r.g.Status().Streams; s.Done != 1 || s.Open != 0 {
		t.Errorf("last words: %+v", s)
	}
	if got := mock.Stats().Finished; got != 2 {
		t.Errorf("upstream calls finished: %d", got)
	}
	if _, err := r.client.Get(r.url + "/v1/models"); err == nil {
		t.Error("still accepts connections")
	}
}

func TestDrainDeadlineEndsStreamsWithAnErrorEvent(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url), func(o *Options) { o.MaxStreamDuration = time.Second })
	// The stream begins at once and would, without a drain, be ended by its duration; the drain is told of first.
	open := r.post("/stream", question(`{"tokens":5,"afterTokens":1,"fault":"Silence"}`))
	r.begin()
	chunks := events(t, open)
	last := chunks[len(chunks)-1]
	if !strings.Contains(last, "stream_duration_exceeded") && !strings.Contains(last, `"draining"`) {
		t.Errorf("ended by %s", last)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := mock.Await(ctx, func(s mockllm.Stats) bool { return s.Cancelled == 1 }); err != nil {
		t.Error("the upstream was not cancelled")
	}
}

func TestWorkersAreParallelism(t *testing.T) {
	before := goruntime.GOMAXPROCS(0)
	defer goruntime.GOMAXPROCS(before)
	if _, err := New(Options{Workers: 3, MaxStreamDuration: time.Second}); err != nil {
		t.Fatal(err)
	}
	if got := goruntime.GOMAXPROCS(0); got != 3 {
		t.Errorf("GOMAXPROCS %d, want 3", got)
	}
	for name, o := range map[string]Options{
		"no workers":     {MaxStreamDuration: time.Second},
		"no duration":    {Workers: 1},
		"negative delay": {Workers: 1, MaxStreamDuration: time.Second, DrainDelay: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Auto is what the container may use, which need not be what its manifest said.
func TestAutoWorkersAreTheControlGroups(t *testing.T) {
	for name, tt := range map[string]struct {
		auto  bool
		quota string
		want  int
	}{
		"a quota":       {true, "400000 100000\n", 4},
		"a small quota": {true, "50000 100000\n", 2},
		"a large quota": {true, "9900000 100000\n", 64},
		"no quota":      {true, "max 100000\n", 3},
		"a number":      {false, "400000 100000\n", 3},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{"sys/fs/cgroup/cpu.max": {Data: []byte(tt.quota)}}
			defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(0))
			g, err := New(Options{
				Workers: 3, AutoWorkers: tt.auto, Root: root, MaxStreamDuration: time.Second, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := goruntime.GOMAXPROCS(0); got != tt.want || g.options.Workers != tt.want {
				t.Errorf("parallelism %d, %d accept loops; want %d", got, g.options.Workers, tt.want)
			}
		})
	}
}
