package mockllm

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// call makes a request of the mock, of any kind, without following where it leads.
func request(ctx context.Context, t testing.TB, client *http.Client, target, body, script string) (answer, error) {
	t.Helper()
	method, url, _ := strings.Cut(target, " ")
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if script != "" {
		req.Header.Set(ScriptHeader, script)
	}
	req.Header.Set("User-Agent", "test")
	stay := *client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := stay.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}, nil
}

func TestService(t *testing.T) {
	_, url, client := start(t, Options{APIKey: testKey, Models: []string{"m"}}) // neither is the service's
	tests := map[string]struct {
		target, body, script string
		status               int
		want                 string
	}{
		"search": {
			target: "GET /http/search?q=red+foxes&limit=2", status: 200,
			want: `{"query":"red foxes","items":[` +
				`{"title":"Document 1","text":"Document 1 is about red foxes.","url":"https://docs.example.com/1"},` +
				`{"title":"Document 2","text":"Document 2 is about red foxes.","url":"https://docs.example.com/2"}]}`,
		},
		"search, a model's script": {
			target: "GET /http/search?limit=0&q=%5B%5Bmock%20%7B%22status%22:500%7D%5D%5D%20x", status: 200, want: `{"query":"x","items":[]}`,
		},
		"a customer":             {target: "GET /http/customers/2", status: 200, want: `{"id":2,"name":"Customer 2","vip":true}`},
		"a customer like others": {target: "GET /http/customers/3", status: 200, want: `{"id":3,"name":"Customer 3","vip":false}`},
		"a ticket":               {target: "GET /http/tickets/7", status: 200, want: `{"id":7,"secret":"internal","state":"closed","title":"Ticket 7"}`},
		"wiki":                   {target: "GET /http/wiki?q=Go", status: 200, want: `{"summary":"An article about Go.","title":"Go"}`},
		"echo": {
			target: "PUT /http/echo?a=1&a=2", body: `{"b":[1]}`, status: 200,
			want: `{"body":{"b":[1]},"headers":{"accept-encoding":"gzip","content-length":"9","user-agent":"test"},"method":"PUT","path":"/http/echo","query":{"a":["1","2"]}}`,
		},
		"echo of no JSON": {
			target: "POST /http/echo", body: `{`, status: 200,
			want: `{"body":"{","headers":{"accept-encoding":"gzip","content-length":"1","user-agent":"test"},"method":"POST","path":"/http/echo","query":{}}`,
		},
		"echo below": {
			target: "GET /http/echo/users/7", status: 200,
			want: `{"body":null,"headers":{"accept-encoding":"gzip","user-agent":"test"},"method":"GET","path":"/http/echo/users/7","query":{}}`,
		},
		"slow":           {target: "GET /http/slow?delay=1ms", status: 200, want: `{"delay":"1ms"}`},
		"created":        {target: "POST /http/status/201", status: 201, want: `{"status":201}`},
		"no content":     {target: "DELETE /http/status/204", status: 204},
		"redirect":       {target: "GET /http/status/302", status: 302, want: `{"status":302}`},
		"failure":        {target: "GET /http/status/503", status: 503, want: "*" + ErrorDetail},
		"script: status": {target: "GET /http/wiki?q=Go", script: `{"status":429,"retryAfter":"3"}`, status: 429, want: "*" + ErrorDetail},
		"script: fault":  {target: "GET /http/wiki?q=Go", script: `{"fault":"Garbage"}`, status: 200, want: "*{not JSON"},
		"bad script":     {target: "GET /http/wiki", script: `{"x":1}`, status: 400, want: "*invalid_script"},
		"bad limit":      {target: "GET /http/search?limit=11", status: 400, want: "*limit must be"},
		"bad delay":      {target: "GET /http/slow?delay=soon", status: 400, want: "*delay must be"},
		"bad status":     {target: "GET /http/status/700", status: 400, want: "*from 200 to 599"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := request(t.Context(), t, client, strings.Replace(tt.target, " ", " "+url, 1), tt.body, tt.script)
			if err != nil || got.readErr != nil || got.status != tt.status {
				t.Fatalf("%d, %v, %v; want %d", got.status, err, got.readErr, tt.status)
			}
			if part, ok := strings.CutPrefix(tt.want, "*"); ok && strings.Contains(got.body, part) {
				return
			}
			if diff := cmp.Diff(tt.want, got.body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if moved := tt.status == http.StatusFound; moved != (got.header.Get("Location") == "/http/echo") {
				t.Errorf("headers %v", got.header)
			}
		})
	}
}

// TestFiguresOfAPath: what was called, how much at once, and what was given up, for each path by itself.
func TestFiguresOfAPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock, client, stop := startPipe(t)
		defer stop()
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		failed := make(chan error)
		for range 3 {
			go func() {
				_, err := request(ctx, t, client, "GET http://mock/http/slow?delay=1h", "", "")
				failed <- err
			}()
		}
		synctest.Wait()
		if got := get(t, client, "http://mock", whole, ""); got.status != http.StatusOK {
			t.Fatalf("status %d", got.status)
		}
		for range 3 {
			if err := <-failed; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		synctest.Wait()
		slow, chat := mock.StatsOf("/http/slow"), mock.StatsOf("/v1/chat/completions")
		if want := (Stats{PeakOpen: 3, Opened: 3, Cancelled: 3}); slow != want {
			t.Errorf("slow: %+v, want %+v", slow, want)
		}
		if chat.Opened != 1 || chat.Finished != 1 || chat.PeakOpen != 1 || chat.TokensSent != 16 {
			t.Errorf("chat: %+v", chat)
		}
		if all := mock.Stats(); all.PeakOpen != 4 || all.Opened != 4 || all.Cancelled != 3 || all.BytesSent != chat.BytesSent {
			t.Errorf("all: %+v", all)
		}
		if (mock.StatsOf("/nowhere") != Stats{}) {
			t.Error("a path that nobody asked for has figures")
		}
		r := mock.Requests()[0]
		if r.Method != http.MethodGet || r.URL.Path != "/http/slow" || r.URL.Query().Get("delay") != "1h" || r.Outcome != OutcomeCancelled {
			t.Errorf("recorded %+v", r)
		}
	})
}

func TestEmbeddingsFollowTheirScript(t *testing.T) {
	mock, url, client := start(t, Options{Models: []string{"m"}})
	for name, tt := range map[string]struct {
		body, script string
		status       int
		want         string
	}{
		"status in a header": {`{"model":"m","input":"x"}`, `{"status":429}`, 429, "rate_limit_exceeded"},
		"status in a text":   {`{"model":"m","input":["x","[[mock {\"status\":500}]] y"]}`, "", 500, ErrorDetail},
		"garbage":            {`{"model":"m","input":"x"}`, `{"fault":"Garbage"}`, 200, "{not JSON"},
		"unknown model":      {`{"model":"n","input":"x"}`, "", 404, "model_not_found"},
		"no input":           {`{"model":"m","input":[]}`, "", 400, "missing_field"},
		"no JSON":            {`{`, "", 400, "invalid_json"},
		"tokens":             {`{"model":"m","input":[[1]]}`, "", 400, "invalid_json"},
		"encoding":           {`{"model":"m","input":"x","encoding_format":"hex"}`, "", 400, "must be float or base64"},
		"dimensions":         {`{"model":"m","input":"x","dimensions":0}`, "", 400, "dimensions must be"},
	} {
		got, err := request(t.Context(), t, client, "POST "+url+"/v1/embeddings", tt.body, tt.script)
		if err != nil || got.status != tt.status || !strings.Contains(got.body, tt.want) {
			t.Errorf("%s: %d %s (%v), want %d with %q", name, got.status, got.body, err, tt.status, tt.want)
		}
	}
	mock.FailNext(1, Script{Status: 503})
	if got, err := request(t.Context(), t, client, "POST "+url+"/v1/embeddings", `{"model":"m","input":"x"}`, ""); err != nil || got.status != 503 {
		t.Errorf("FailNext: %d, %v", got.status, err)
	}
	if s := mock.StatsOf("/v1/embeddings"); s.Rejected != 6 || s.Failed != 3 || s.Finished != 1 {
		t.Errorf("figures %+v", s)
	}
}

func TestStatsOfAPathOverHTTP(t *testing.T) {
	mock, url, client := start(t, Options{})
	get(t, client, url, whole, "")
	await(t, mock, "finished", func(s Stats) bool { return s.Finished == 1 })
	for path, want := range map[string]int{"/v1/chat/completions": 1, "/v1/embeddings": 0} {
		got, err := request(t.Context(), t, client, "GET "+url+"/_mock/stats?path="+path, "", "")
		var s Stats
		if err != nil || json.Unmarshal([]byte(got.body), &s) != nil || s.Opened != want || s != mock.StatsOf(path) {
			t.Errorf("%s: %s, %v", path, got.body, err)
		}
	}
}

// A response continues one that the mock has given, and no other.
func TestResponsesContinue(t *testing.T) {
	_, url, client := start(t, Options{})
	ask := func(members string) (int, map[string]any) {
		resp, err := client.Post(url+"/v1/responses", "application/json", strings.NewReader(`{"model":"m","input":"hi"`+members+`}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var got map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, got
	}
	_, first := ask("")
	id, _ := first["id"].(string)
	if status, second := ask(`,"previous_response_id":"` + id + `"`); status != http.StatusOK || second["previous_response_id"] != id || second["id"] == id {
		t.Errorf("%d %v", status, second)
	}
	for _, id := range []string{id + "9", "resp_1", replyID, replyID + "0", replyID + "x"} {
		if status, got := ask(`,"previous_response_id":"` + id + `"`); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", id, status, got)
		}
	}
}
