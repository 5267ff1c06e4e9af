package sdks

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/test/leaks"
	"github.com/llmservice/llmservice/test/mockllm"
)

// client is a library that is run.
type client struct {
	name  string
	start func(t *testing.T, url string) driver
	ops   []string // those that it has; nil: all
	// framework: it hides what the API says otherwise, such as the model's name and the types of events.
	framework bool
}

var clients = []client{
	{name: "go", start: inProcess},
	{name: "python", start: python("python")},
	{name: "javascript", start: javascript("node")},
	{
		name: "langchain", start: python("langchain"), framework: true,
		ops: []string{"chat", "chat_stream", "chat_parse", "responses", "responses_stream", "responses_parse", "embeddings"},
	},
	{
		name: "vercel", start: javascript("vercel"), framework: true,
		ops: []string{"chat", "chat_stream", "chat_parse", "chat_stream_parse", "responses", "responses_stream", "responses_parse", "responses_stream_parse", "embeddings"},
	},
	{
		name: "vercel-compatible", start: javascript("vercel-compatible"), framework: true,
		ops: []string{"chat", "chat_stream", "chat_parse", "chat_stream_parse", "embeddings"},
	},
}

// runs reports whether the library is asked to do what the scenario wants. Frameworks have no way to send members of their caller's
// choice, or a conversation as the API has it: what they send is their own.
func (c *client) runs(s *scenario) bool {
	if !c.framework {
		return true
	}
	own := s.members == "" || s.members == chatTools || s.members == tools || s.op == "embeddings" && !s.passes
	return slices.Contains(c.ops, s.op) && own && !s.continues && s.first == nil && s.status == 0 && s.class == "" && !s.leaves && !s.passes &&
		!strings.Contains(s.members, "encoding_format")
}

// TestClients has each library do everything. After it, neither the keys nor the prompts are in anything that the gateway says of
// itself.
func TestClients(t *testing.T) {
	for i := range clients {
		c := &clients[i]
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, patience)
			d := c.start(t, s.url+"/v1")
			for _, scenario := range scenarios() {
				if c.runs(&scenario) {
					t.Run(strings.ReplaceAll(scenario.name, "/", "-"), func(t *testing.T) { s.play(t, c, d, &scenario) })
				}
			}
			s.keepsQuiet(t)
		})
	}
}

func (s *stage) play(t *testing.T, c *client, d driver, sc *scenario) {
	t.Helper()
	members := sc.params()
	if sc.continues {
		members["previous_response_id"] = s.begin(t, d, sc)
	}
	params, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	if sc.busy {
		defer s.occupy(t)()
	}
	before, r := s.mock.Stats(), request{Op: sc.op, Params: params}
	if sc.first != nil {
		s.mock.FailNext(1, *sc.first)
		r.Retries = 1
	}
	if sc.script != nil {
		s.mock.FailNext(1, *sc.script)
	}
	d.begin(r)
	if sc.leaves {
		s.await(t, func(now mockllm.Stats) bool { return now.Open == 1 && now.Opened == before.Opened+1 })
		d.leave()
	}
	got, err := d.outcome()
	if err != nil {
		t.Fatal(err)
	}
	if sc.leaves {
		s.await(t, func(now mockllm.Stats) bool { return now.Open == 0 && now.Cancelled == before.Cancelled+1 })
	}
	sc.judge(t, c, &got)
	if sc.continues && (got.Continues != members["previous_response_id"] || got.ID == got.Continues || got.ID == "") {
		t.Errorf("response %q continues %q, want %q", got.ID, got.Continues, members["previous_response_id"])
	}
	s.wasAsked(t, sc, before)
}

// begin asks for a response, and returns its ID.
func (s *stage) begin(t *testing.T, d driver, sc *scenario) string {
	t.Helper()
	params, err := json.Marshal(sc.params())
	if err != nil {
		t.Fatal(err)
	}
	s.mock.FailNext(1, *says)
	d.begin(request{Op: sc.op, Params: params})
	got, err := d.outcome()
	if err != nil || got.ID == "" || got.Text != said {
		t.Fatalf("the response that is to be continued is %+v, %v", got, err)
	}
	return got.ID
}

// occupy makes the one call that the narrow model's upstream may have, until it is told to end it.
func (s *stage) occupy(t *testing.T) (end func()) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	before, left := s.mock.Stats(), make(chan struct{})
	s.mock.FailNext(1, *hangs)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/embeddings", strings.NewReader(`{"model":"`+narrow+`","input":"`+canary+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	go func() {
		defer close(left)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	s.await(t, func(now mockllm.Stats) bool { return now.Open == 1 && now.Opened == before.Opened+1 })
	return func() {
		leave()
		<-left
		s.await(t, func(now mockllm.Stats) bool { return now.Open == 0 })
	}
}

// TestClientsOfADrain has each of OpenAI's own SDKs wait for an answer that the end of a drain cuts off.
func TestClientsOfADrain(t *testing.T) {
	for i := range clients {
		c := &clients[i]
		if c.framework {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, time.Second)
			d := c.start(t, s.url+"/v1")
			sc := scenario{
				op: "chat", model: full, status: http.StatusServiceUnavailable, code: "draining", message: "This replica is shutting down. Try again.", retryAfter: "1",
			}
			params, err := json.Marshal(sc.params())
			if err != nil {
				t.Fatal(err)
			}
			s.mock.FailNext(1, *hangs)
			d.begin(request{Op: sc.op, Params: params})
			s.await(t, func(now mockllm.Stats) bool { return now.Open == 1 })
			s.stop()
			got, err := d.outcome()
			if err != nil {
				t.Fatal(err)
			}
			sc.judgeFailure(t, c, got.Error)
		})
	}
}

func (s *stage) await(t *testing.T, ok func(mockllm.Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if now, err := s.mock.Await(ctx, ok); err != nil {
		t.Fatalf("%v; the upstream has seen %+v", err, now)
	}
}

// wasAsked checks how often the upstream was asked, and what.
func (s *stage) wasAsked(t *testing.T, sc *scenario, before mockllm.Stats) {
	t.Helper()
	want := 0
	if sc.script != nil || strings.HasPrefix(sc.name, "embeddings") {
		want++
	}
	if sc.first != nil {
		want++
	}
	if got := s.mock.Stats().Opened - before.Opened; got != want {
		t.Fatalf("the upstream was asked %d times, want %d", got, want)
	}
	if !sc.passes {
		return
	}
	all := s.mock.Requests()
	var asked map[string]any
	if err := json.Unmarshal(all[len(all)-1].Body, &asked); err != nil {
		t.Fatal(err)
	}
	sent := sc.params()
	sent["model"] = realName(sc.model)
	if diff := cmp.Diff(sent, asked); diff != "" {
		t.Errorf("the upstream was asked (-sent +asked):\n%s", diff)
	}
}

// judge compares an outcome with what the scenario wants of it.
func (sc *scenario) judge(t *testing.T, c *client, got *answer) {
	t.Helper()
	want := sc.want.comparable()
	have := got.comparable()
	if sc.status != 0 || sc.class != "" {
		sc.judgeFailure(t, c, got.Error)
		return
	}
	if len(sc.want.Usage.orNothing()) == 0 && !strings.HasSuffix(sc.op, "_stream") {
		have.Usage = nil // of answers whose figures follow from the library's own prompt
	}
	if strings.Contains(sc.name, "tool") || strings.Contains(sc.name, "structured") || strings.Contains(sc.name, "images") {
		have.Usage, want.Usage = nil, nil
	}
	if c.framework {
		sc.forFrameworks(&have, &want)
	}
	same(t, &have, &want)
}

// forFrameworks leaves out what frameworks do not show, or name otherwise.
func (sc *scenario) forFrameworks(have, want *answer) {
	have.Model, want.Model, have.Events, want.Events, have.Finish, want.Finish = "", "", nil, nil, "", ""
	if want.Usage == nil {
		have.Usage = nil // they ask for it on their own
	}
	have.Pieces = min(have.Pieces, 1)
	want.Pieces = min(want.Pieces, 1)
	if strings.HasPrefix(sc.op, "responses") && strings.HasSuffix(sc.op, "_stream") && want.Text != "" {
		want.Pieces = 1
	}
	if want.Text == "" {
		have.Pieces = 0
	}
	if want.Parsed != nil {
		have.Text, want.Text, have.Pieces, want.Pieces = "", "", 0, 0
	}
}

func (u *tokens) orNothing() []tokens {
	if u == nil {
		return nil
	}
	return []tokens{*u}
}

func same(t *testing.T, have, want *answer) {
	t.Helper()
	if string(want.Parsed) != "" {
		var a, b any
		if json.Unmarshal(have.Parsed, &a) != nil || json.Unmarshal(want.Parsed, &b) != nil || !cmp.Equal(a, b) {
			t.Errorf("parsed %s, want %s", have.Parsed, want.Parsed)
		}
	}
	have.Parsed, want.Parsed = nil, nil
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// classes are the errors of the SDKs for Python and JavaScript by status. Go's has one type for all.
var classes = map[int]string{
	400: "BadRequestError", 404: "NotFoundError", 422: "UnprocessableEntityError", 429: "RateLimitError",
	502: "InternalServerError", 503: "InternalServerError",
}

func (sc *scenario) judgeFailure(t *testing.T, c *client, got *failure) {
	t.Helper()
	if got == nil {
		t.Fatal("nothing is wrong")
	}
	// Of a refusal that is about the client's own request, it is told the upstream's words.
	own := slices.Contains([]int{400, 404, 413, 422}, sc.status)
	if !own && strings.Contains(got.Message, mockllm.ErrorDetail) || strings.Contains(got.Message, key) {
		t.Errorf("the client is told %q", got.Message)
	}
	if sc.class != "" && !strings.Contains(got.Message+text(got.Code), sc.code) && !strings.Contains(got.Message, "broke off") {
		t.Errorf("got %+v, want %s", got, sc.code)
	}
	if sc.class != "" {
		return
	}
	if !strings.Contains(got.Message, sc.message) || got.RetryAfter != sc.retryAfter {
		t.Errorf("the client is told %q, to come back in %q; want %q, %q", got.Message, got.RetryAfter, sc.message, sc.retryAfter)
	}
	class, listed := classes[sc.status]
	if !listed {
		class = map[string]string{"python": "APIStatusError", "javascript": "APIError"}[c.name]
	}
	if c.name == "go" {
		class = "Error"
	}
	if got.Class != class || got.Status != sc.status || sc.code != anything && text(got.Code) != sc.code || text(got.Param) != sc.param && sc.code != anything {
		t.Errorf("got %+v, want %d as %s with %s about %q", got, sc.status, class, sc.code, sc.param)
	}
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// keepsQuiet looks for what must stay secret wherever the gateway says something of itself.
func (s *stage) keepsQuiet(t *testing.T) {
	t.Helper()
	found, err := leaks.Of(t.Context(), s.logs.String(), s.url, s.admin, key, canary, said)
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range found {
		t.Error(leak)
	}
}
