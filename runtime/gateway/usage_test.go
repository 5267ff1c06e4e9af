package gateway

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/llm"
)

const (
	spentTokens = `"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens":5,` +
		`"completion_tokens_details":{"reasoning_tokens":2},"total_tokens":14}`
	spentUsage = "data: {\"choices\":[],\"model\":\"model-a\"," + spentTokens + "}\n\n"
	teaChunks  = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Tea\"}}],\"model\":\"model-a\"}\n\n" +
		"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"model\":\"model-a\"}\n\n"
	endOfTea = "data: [DONE]\n\n"
	// asksUsage is what is added to requests.
	asksUsage = `,"stream_options":{"include_usage":true}`
)

// aPrice makes the tokens of spentTokens cost 17.
func aPrice() *config.Prices {
	return &config.Prices{Input: "1000000", CachedInput: "500000.0", Output: "2000000"}
}

var spentSeries = regexp.MustCompile(`(?m)^llmservice_(tokens|cost)_total\{model="(.*?)",route="(.*?)",source="(.*?)",(?:type="(.*?)",)?upstream="(.*?)"\} (\S+)$`)

// spent are the counters of tokens and costs, as "ROUTE MODEL UPSTREAM SOURCE TYPE".
func (r *replica) spent() map[string]float64 {
	r.t.Helper()
	resp, err := r.client.Get(r.adminURL + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, m := range spentSeries.FindAllStringSubmatch(text(r.t, resp), -1) {
		kind := m[5]
		if m[1] == "cost" {
			kind = "cost"
		}
		n, err := strconv.ParseFloat(m[7], 64)
		if err != nil {
			r.t.Fatal(err)
		}
		counts[strings.Join([]string{m[3], m[2], m[6], m[4], kind}, " ")] = n
	}
	return counts
}

// since are the counters that have grown.
func since(before, after map[string]float64) map[string]float64 {
	grown := map[string]float64{}
	for name, n := range after {
		if n != before[name] {
			grown[name] = n - before[name]
		}
	}
	return grown
}

// ofTea is what spentTokens count at a route, for a model and an upstream.
func ofTea(by string) map[string]float64 {
	return map[string]float64{by + " input": 5, by + " cached_input": 4, by + " output": 3, by + " reasoning": 2, by + " cost": 17}
}

// Each endpoint counts what the upstream reports, whole and streamed. A stream is asked for it, and the client gets it only if it
// asked itself; no other byte changes.
func TestUsageIsCounted(t *testing.T) {
	upstream := &canned{whole: map[string]string{
		"/v1/chat/completions": `{"choices":[{"message":{"content":"Tea"}}],"model":"model-a",` + spentTokens + `}`,
		"/v1/completions":      `{"choices":[{"text":"Tea"}],"model":"model-a",` + spentTokens + `}`,
		"/v1/responses":        response("model-a", message),
		"/v1/embeddings":       `{"data":[{"index":0,"embedding":[1]}],"model":"model-a","usage":{"prompt_tokens":8,"total_tokens":8}}`,
	}, streamed: map[string]string{
		"/v1/chat/completions": teaChunks + spentUsage + endOfTea,
		"/v1/completions":      "data: {\"choices\":[{\"text\":\"Tea\"}],\"model\":\"model-a\"}\n\n" + spentUsage + endOfTea,
		"/v1/responses":        streamedResponse("model-a"),
	}}
	c := assistant(serve(t, upstream) + "/v1")
	c.Upstreams[0].OpenAI.APIs, c.Upstreams[0].Prices = config.APIs, aPrice()
	r := start(t, c)
	for path, whole := range upstream.whole {
		for _, asks := range []string{"", `,"stream":true`, `,"stream":true` + asksUsage} {
			want, asked := whole, asks
			if asks != "" {
				if want = upstream.streamed[path]; want == "" {
					continue
				}
				if !strings.Contains(asks, asksUsage) && path != "/v1/responses" {
					asked += asksUsage
					want = strings.Replace(want, spentUsage, "", 1)
				}
			}
			const body = `{ "model" :"assistant","messages":[ ],"prompt":"x","input":"x"%s }`
			before := r.spent()
			resp := r.post(path, fmt.Sprintf(body, asks))
			want = strings.ReplaceAll(want, "model-a", "assistant")
			if got := withOwnIDs(t, text(t, resp)); resp.StatusCode != http.StatusOK || got != want {
				t.Errorf("%s%s: %d %s\nwant %s", path, asks, resp.StatusCode, got, want)
			}
			asked = path + " " + strings.Replace(fmt.Sprintf(body, asked), "assistant", "model-a", 1)
			// What is added stands at the end of the object.
			asked = strings.Replace(asked, asksUsage+" }", " "+asksUsage+"}", 1)
			if strings.Contains(asks, asksUsage) {
				asked = path + " " + strings.Replace(fmt.Sprintf(body, asks), "assistant", "model-a", 1)
			}
			if diff := cmp.Diff([]string{asked}, upstream.requests()); diff != "" {
				t.Errorf("%s%s: asked (-want +got):\n%s", path, asks, diff)
			}
			spent := ofTea(path + " assistant a reported")
			if path == "/v1/embeddings" {
				spent = map[string]float64{path + " assistant a reported input": 8, path + " assistant a reported cost": 8}
			}
			if diff := cmp.Diff(spent, since(before, r.spent())); diff != "" {
				t.Errorf("%s%s: counted (-want +got):\n%s", path, asks, diff)
			}
		}
	}
}

// An upstream that cannot be asked for the usage is not, and what it does not report is estimated, and says so.
func TestUsageIsEstimated(t *testing.T) {
	upstream := &canned{
		whole:    map[string]string{"/v1/chat/completions": `{"choices":[{"message":{"content":"Tea"}}],"model":"model-a"}`},
		streamed: map[string]string{"/v1/chat/completions": teaChunks + endOfTea},
	}
	c := assistant(serve(t, upstream) + "/v1")
	c.Upstreams[0].OpenAI.Omit = []string{config.StreamOptions}
	r := start(t, c)
	for _, stream := range []bool{false, true} {
		before := r.spent()
		_ = text(t, r.post("/v1/chat/completions", completion(stream, "x")))
		asked := upstream.requests()[0]
		body := strings.TrimPrefix(asked, "/v1/chat/completions ")
		want := map[string]float64{
			"/v1/chat/completions assistant a estimated input":  float64(llm.Estimate(len(body))),
			"/v1/chat/completions assistant a estimated output": 2, // as many as there are events
		}
		if !stream {
			want["/v1/chat/completions assistant a estimated output"] = float64(llm.Estimate(len(`[{"message":{"content":"Tea"}}]`)))
		}
		if diff := cmp.Diff(want, since(before, r.spent())); diff != "" || strings.Contains(asked, "stream_options") {
			t.Errorf("streamed %v: %s asked, counted (-want +got):\n%s", stream, asked, diff)
		}
	}
}

// Typed routes count under their own path, and under the model that they are asked as; their answers say what they cost.
func TestUsageOfRoutes(t *testing.T) {
	upstream := &canned{
		whole:    map[string]string{"/v1/chat/completions": `{"choices":[{"message":{"content":"Tea"},"finish_reason":"stop"}],` + spentTokens + `}`},
		streamed: map[string]string{"/v1/chat/completions": teaChunks + spentUsage + endOfTea},
	}
	c := assistant(serve(t, upstream) + "/v1")
	c.Upstreams[0].Prices = aPrice()
	c.Models = append(c.Models, config.Model{
		Name: "routed", Route: &config.ModelRoute{Path: "/answer", Body: []byte(`{"question":"${conversation.lastMessage}"}`)},
	})
	asJSON := c.Routes[0]
	asJSON.Path, asJSON.Response = "/json", &config.Response{Stream: "answer", Format: "JSON"}
	asEvents := c.Routes[0]
	asEvents.Path, asEvents.Response = "/events", &config.Response{Events: &config.Events{Steps: []string{"answer"}}}
	c.Routes = append(c.Routes, asJSON, asEvents)
	r := start(t, c)
	const costs = `"cost":17}`
	for _, tt := range []struct{ path, body, by, has, lacks string }{
		{"/answer", question("x"), "/answer  a reported", `"tokens":14`, "cost"},
		{"/stream", question("x"), "/stream  a reported", endOfTea, "usage"},
		{"/json", question("x"), "/json  a reported", costs, "cost_estimated"},
		{"/events", question("x"), "/events  a reported", costs, "cost_estimated"},
		{"/v1/chat/completions", strings.Replace(completion(false, "x"), "assistant", "routed", 1), "/answer routed a reported", costs, "cost_estimated"},
	} {
		before := r.spent()
		got := text(t, r.post(tt.path, tt.body))
		if !strings.Contains(got, tt.has) || strings.Contains(got, tt.lacks) {
			t.Errorf("%s: %s", tt.path, got)
		}
		if diff := cmp.Diff(ofTea(tt.by), since(before, r.spent())); diff != "" {
			t.Errorf("%s: counted (-want +got):\n%s", tt.path, diff)
		}
	}
}

func TestUsageOfEmbeddingSteps(t *testing.T) {
	upstream := &canned{whole: map[string]string{
		"/v1/embeddings": `{"data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":8,"total_tokens":8}}`,
	}}
	c := assistant(serve(t, upstream) + "/v1")
	c.Upstreams[0].Prices = aPrice()
	vectors := c.Routes[0]
	vectors.Path, vectors.Response = "/vectors", &config.Response{Body: []byte(`"${string(size(steps.answer.vectors))}"`)}
	vectors.Steps = []config.Step{{Name: "answer", Action: config.Action{Embeddings: &config.Embeddings{Upstream: "a", Input: "x"}}}}
	c.Routes = append(c.Routes, vectors)
	r := start(t, c)
	if got := text(t, r.post("/vectors", question("x"))); !strings.Contains(got, "1") {
		t.Error(got)
	}
	if diff := cmp.Diff(map[string]float64{"/vectors  a reported input": 8, "/vectors  a reported cost": 8}, r.spent()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// The branch of a race that loses took something, too: the cost of the answer has it, and says that it is an estimate.
func TestUsageOfTheLosersOfARace(t *testing.T) {
	asked := make(chan struct{})
	slow := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body) // a server sees a client leave only once it has read the request
		close(asked)
		<-req.Context().Done()
	})
	fast := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-asked
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"choices":[{"message":{"content":"Tea"},"finish_reason":"stop"}],`+spentTokens+`}`)
	})
	c := assistant(serve(t, fast)+"/v1", serve(t, slow)+"/v1")
	c.Upstreams[0].Prices, c.Upstreams[1].Prices = aPrice(), &config.Prices{Input: "1000000"}
	branch := func(name string) config.Branch {
		chat := &config.Chat{Upstream: name, Messages: []config.Message{{Role: "user", Content: "Hi"}}}
		return config.Branch{Name: name, Action: config.Action{Chat: chat}}
	}
	race := c.Routes[1]
	race.Path, race.Steps = "/race", []config.Step{{Name: "race", Gather: &config.Gather{
		Strategy: "First", Branches: []config.Branch{branch("a"), branch("b")},
	}}}
	race.Response = &config.Response{Body: []byte(`"${steps.race.text}"`), Events: &config.Events{Progress: true}}
	c.Routes = append(c.Routes, race)
	r := start(t, c)
	got := text(t, r.post("/race", question("x")))
	body := float64(llm.Estimate(len(`{"model":"model-b","messages":[{"role":"user","content":"Hi"}]}`)))
	want := ofTea("/race  a reported")
	want["/race  b estimated input"], want["/race  b estimated cost"] = body, body
	if diff := cmp.Diff(want, r.spent()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	if !strings.Contains(got, fmt.Sprintf(`"cost":%v,"cost_estimated":true}`, 17+body)) {
		t.Errorf("answered %s", got)
	}
}
