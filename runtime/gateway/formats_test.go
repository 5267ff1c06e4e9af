package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/test/mockllm"
)

// Whatever is wrong with a request, its client is told in the form that it expects at that path, whether or not anything is
// served there, and also by a gateway that has no config yet.
func TestErrorsHaveTheFormatOfTheirRoute(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	configured := start(t, assistant(url)).g
	none, err := New(configured.options)
	if err != nil {
		t.Fatal(err)
	}
	const openAI, fastAPI = `{"error":{`, `{"detail":`
	for target, tt := range map[string]struct {
		status int
		want   string
	}{
		"POST /v1/nothing":          {http.StatusNotFound, openAI},
		"POST /v1/":                 {http.StatusNotFound, openAI},
		"GET /v1/chat/completions":  {http.StatusMethodNotAllowed, openAI},
		"POST /v1/models":           {http.StatusMethodNotAllowed, openAI},
		"POST /v1":                  {http.StatusNotFound, fastAPI},
		"POST /nothing":             {http.StatusNotFound, fastAPI},
		"DELETE /answer":            {http.StatusMethodNotAllowed, fastAPI},
		"POST /openapi.json":        {http.StatusMethodNotAllowed, fastAPI},
		"POST /v1/chat/completions": {0, openAI},
		"POST /answer":              {0, fastAPI},
	} {
		method, path, _ := strings.Cut(target, " ")
		head := &relay.Head{Method: method, Path: path, EscapedPath: path}
		for g, status := range map[*Gateway]int{configured: tt.status, none: http.StatusServiceUnavailable} {
			x := g.policy.Begin(head)
			reply := x.Admit(t.Context())
			if reply == nil && status == 0 {
				reply = x.Refuse(relay.BodyUnreadable)
				status = http.StatusRequestTimeout
			}
			if reply == nil || reply.Status != status || !strings.HasPrefix(string(reply.Body), tt.want) {
				t.Errorf("%s: %+v, want %d %s", target, reply, status, tt.want)
			}
			x.Release()
		}
	}
}
