package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
)

// small is a replica with 12 MiB for requests.
func small(o *Options) { o.Memory = admission.Base + 20<<20 }

// atOnce sends a body so often at once, and counts the answers by status.
func (r *replica) atOnce(n int, path, body string) map[int]int {
	r.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range n {
		wg.Go(func() {
			status, wrong := r.answered(path, body)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
			if wrong != "" {
				r.t.Error(wrong)
			}
		})
	}
	wg.Wait()
	return statuses
}

func (r *replica) answered(path, body string) (status int, wrong string) {
	resp, err := r.client.Post(r.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return 0, err.Error()
	case resp.StatusCode == http.StatusTooManyRequests && (resp.Header.Get("Retry-After") != "1" || !strings.Contains(string(answer), "at its limit")):
		return resp.StatusCode, fmt.Sprintf("429 with %v %s", resp.Header, answer)
	}
	return resp.StatusCode, ""
}

// nothing says that a replica at rest holds nothing.
func (r *replica) nothing() {
	r.t.Helper()
	r.await("all memory is given back", func(s report.Status) bool { return s.InFlight == 0 && s.Memory.Reserved == 0 })
}

// Sixty large bodies at once, beside which small requests pass: a few are held at a time, and the rest waits or is refused.
func TestLargeBodiesAreAdmittedAgainstMemory(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Runtime.MaxInFlight = 64
	r := start(t, c, small)
	budget := r.g.Status().Memory.Budget
	large := `{"model":"assistant","messages":[{"role":"user","content":"[[mock {\"firstTokenDelay\":\"50ms\"}]]` + strings.Repeat("x", 900<<10) + `"}]}`

	stop := make(chan struct{})
	var watch sync.WaitGroup
	var most int64
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				most = max(most, r.g.admission.Bytes.Reserved())
			}
		}
	})
	var beside sync.WaitGroup
	beside.Go(func() {
		for range 20 {
			if status, wrong := r.answered("/answer", question("{}")); status != 200 && status != 429 || wrong != "" {
				t.Errorf("a small request beside large ones: %d %s", status, wrong)
			}
		}
	})
	statuses := r.atOnce(60, "/v1/chat/completions", large)
	beside.Wait()
	close(stop)
	watch.Wait()
	if statuses[200] == 0 || statuses[200]+statuses[429] != 60 {
		t.Errorf("statuses %v", statuses)
	}
	if most > budget || most < 2*900<<10 {
		t.Errorf("at most %d bytes were reserved of %d", most, budget)
	}
	r.nothing()
}

func TestBodiesThatNeverFit(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	r := start(t, c, small)
	longest := r.g.admission.Bytes.Longest()
	if status, _ := r.answered("/v1/chat/completions", strings.Repeat(" ", longest+1)); status != 413 {
		t.Errorf("a body of %d bytes: %d", longest+1, status)
	}
	if status, _ := r.answered("/v1/chat/completions", strings.Repeat(" ", longest/2)); status != 400 {
		t.Errorf("a body of %d bytes: %d", longest/2, status)
	}
	r.nothing()
}

// Each of twenty requests gets a part of the memory for an answer whose length nobody has said, and waits for more.
func TestLongAnswersAtOnce(t *testing.T) {
	const requests = 20
	var asked sync.WaitGroup
	asked.Add(requests)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"`+strings.Repeat("x", 100<<10))
		_ = http.NewResponseController(w).Flush()
		asked.Done()
		asked.Wait()
		_, _ = io.WriteString(w, strings.Repeat("x", 1100<<10)+`"`)
	}))
	defer server.Close()
	c := only(assistant("http://127.0.0.1:1"), &config.Response{Body: []byte(`"${size(steps.x.body)}"`)},
		config.Step{Name: "x", Action: config.Action{HTTP: &config.HTTPCall{Upstream: "web", Method: "GET", Path: "/x"}}})
	c.Upstreams = append(c.Upstreams, service("web", server.URL))
	c.Upstreams[1].Timeouts.Total = config.Duration(2 * time.Second)
	c.Routes[0].Budget.MaxBytes = 16 << 20
	c.Runtime.MaxInFlight = 64
	r := start(t, c, small)
	if statuses := r.atOnce(requests, "/only", question("{}")); statuses[200] == 0 || statuses[200]+statuses[429] != requests {
		t.Errorf("statuses %v\n%s", statuses, r.logs)
	}
	r.nothing()
}
