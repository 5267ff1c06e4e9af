package gateway

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/problem"
)

// What the operator's lists refuse, no route and no model reaches; neither answers nor logs say where it is.
func TestTheOperatorsListsAreObeyed(t *testing.T) {
	var asked atomic.Int32
	url := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	var rules addresses.Rules
	if err := rules.Denied.Set("127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	unreachable := problem.New(problem.UpstreamUnreachable).Message
	r := start(t, assistant(url), func(o *Options) { o.Addresses = rules })
	for path, body := range map[string]string{
		"/answer":              question("{}"),
		"/v1/chat/completions": `{"model":"assistant","messages":[{"role":"user","content":"hello"}]}`,
	} {
		resp := r.post(path, body)
		answer := text(t, resp)
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(answer, unreachable) || strings.Contains(answer, "127.0.0.1") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("asked %d times, want never", n)
	}
	attempts := 0
	for line := range strings.Lines(r.logs.String()) {
		if strings.Contains(line, "upstream attempt failed") {
			attempts++
			_, failure, _ := strings.Cut(line, `"failure":`) // the endpoint is as the config has it
			if !strings.Contains(failure, "address_refused") || strings.Contains(failure, "127.0.0.1") {
				t.Errorf("logged %s", line)
			}
		}
	}
	if attempts == 0 {
		t.Errorf("no attempt was logged: %s", r.logs)
	}
}
