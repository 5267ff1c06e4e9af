package gateway

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
)

// service is an upstream of a plain HTTP service at the URL.
func service(name, url string) config.Upstream {
	u := assistant(url).Upstreams[0]
	u.Name, u.OpenAI, u.HTTP = name, nil, &config.HTTP{}
	return u
}

// only is a config of one route, in place of those that assistant has.
func only(c *config.Config, response *config.Response, steps ...config.Step) *config.Config {
	c.Routes = c.Routes[:1]
	c.Routes[0].Path, c.Routes[0].Steps, c.Routes[0].Response = "/only", steps, response
	return c
}

func chatStep() config.Step {
	return config.Step{Name: "answer", Action: config.Action{Chat: &config.Chat{
		Upstream: "a", Messages: []config.Message{{Role: "user", Content: "${request.body.question}"}},
	}}}
}

// Nothing that the gateway writes itself is held back on its way: the upstream waits for the client to read each token.
func TestProducedTokensArriveOneByOne(t *testing.T) {
	proceed := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\"token-%d\"}}]}\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-proceed:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	defer server.Close()
	timed := chatStep()
	timed.Timeout = config.Duration(patience)
	for name, response := range map[string]*config.Response{
		"OpenAI": {Stream: "answer"},
		"Text":   {Stream: "answer", Format: "Text"},
		"JSON":   {Stream: "answer", Format: "JSON"},
		"events": {Events: &config.Events{Steps: []string{"answer"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, only(assistant(server.URL+"/v1"), response, timed))
			lines := bufio.NewReader(r.post("/only", question("{}")).Body)
			for i := range 3 {
				for line := ""; !strings.Contains(line, fmt.Sprintf("token-%d", i)); {
					var err error
					if line, err = lines.ReadString('\n'); err != nil {
						t.Fatal(err)
					}
				}
				proceed <- struct{}{}
			}
		})
	}
}

func TestAnswersThatBreakTheirSchemaAreLoggedAndCounted(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	for name, response := range map[string]*config.Response{
		"whole":    {Body: []byte(`"${steps.answer.text.parseJson()}"`)},
		"streamed": {Stream: "answer"},
		"held":     {Stream: "answer", Commit: config.CommitAfterValidation},
	} {
		t.Run(name, func(t *testing.T) {
			response.Schema = []byte(`{"type":"object","properties":{"n":{"type":"integer"}}}`)
			r := start(t, only(assistant(url), response, chatStep()))
			resp := r.post("/only", question(`{"json":{"n":"very private"}}`))
			if body := text(t, resp); resp.StatusCode != map[string]int{"whole": 502, "streamed": 200, "held": 502}[name] || !strings.Contains(body, "does not satisfy") {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			page, err := r.client.Get(r.adminURL + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			if metrics := text(t, page); !strings.Contains(metrics, `invalid_answers_total{route="/only"} 1`) {
				t.Error("not counted")
			}
			if logs := r.logs.String(); strings.Count(logs, "int_parsing at [response n]") != 1 || strings.Contains(logs, "private") {
				t.Errorf("logs: %s", logs)
			}
		})
	}
}

const lookup = `[{"name":"look","description":"Looks a word up.","input":{"type":"object","required":["q"],"properties":{"q":{"type":"string"}}},
	"steps":[{"name":"hits","http":{"upstream":"web","method":"GET","path":"/search","query":{"q":"${input.q}","limit":"1"}}}],
	"output":{"text":"${steps.hits.body.items[0].text}"}}]`

// An agent's turns, its tools and their service, over real connections; the service's credential goes to the service alone.
func TestAgentsAndTheirTools(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	web := service("web", strings.TrimSuffix(url, "/v1")+mockllm.ServicePath)
	web.Auth = &config.Auth{Bearer: &config.SecretFile{Secret: "keys", Key: "web"}}
	c.Upstreams = append(c.Upstreams, web)
	mustJSON(t, lookup, &c.Functions)
	agent := config.Step{Name: "answer", Action: config.Action{Agent: &config.Agent{
		Upstream: "a", Tools: []string{"look"}, MaxTurns: 4, MaxParallel: 4,
		Messages: []config.Message{{Role: "user", Content: "${request.body.question}"}},
	}}}
	r := start(t, only(c, &config.Response{Events: &config.Events{Steps: []string{"answer"}, Progress: true}, Body: []byte(`"${steps.answer.turns}"`)}, agent))
	secret := filepath.Join(r.dir, "secrets", "keys")
	if err := os.MkdirAll(secret, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secret, "web"), []byte("sk-web"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.await("the credential is loaded", func(s report.Status) bool { return s.Secrets[0].Loaded })
	resp := r.post("/only", question(`{"turns":[{"toolCalls":[{"name":"look","arguments":{"q":"cats"}},{"name":"look","arguments":{"q":"dogs"}}]},{"text":"Found:","echoRole":"tool"}]}`))
	body := text(t, resp)
	for _, want := range []string{"Document 1 is about cats.", "Document 1 is about dogs.", `"tool":"look"`, `"state":"succeeded"`, "event: result\ndata: 2\n\n"} {
		if !strings.Contains(strings.ReplaceAll(body, "\"}\n\nevent: answer\ndata: {\"text\":\"", ""), want) {
			t.Errorf("there is no %s in %s", want, body)
		}
	}
	for _, sent := range mock.Requests() {
		if key := sent.Header.Get("Authorization"); (key == "Bearer sk-web") != strings.HasPrefix(sent.URL.Path, mockllm.ServicePath) {
			t.Errorf("%s was sent %q", sent.URL.Path, key)
		}
	}
	if strings.Contains(r.logs.String()+body, "sk-web") {
		t.Error("the credential was told")
	}
}

// A client that leaves ends all that its request does, over real connections too.
func TestWhatRoutesDoIsCancelledWithTheClient(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Upstreams = append(c.Upstreams, service("web", strings.TrimSuffix(url, "/v1")+mockllm.ServicePath))
	mustJSON(t, strings.Replace(strings.Replace(lookup, `"/search"`, `"/slow"`, 1), `"limit":"1"`, `"delay":"1h"`, 1), &c.Functions)
	each := config.Step{Name: "all", ForEach: &config.ForEach{
		Items: "${['a','b','c']}", MaxItems: 3, MaxParallel: 3,
		Do: config.Do{Action: config.Action{Call: &config.Call{Function: "look", Input: []byte(`{"q":"${item}"}`)}}},
	}}
	r := start(t, only(c, &config.Response{Body: []byte(`"${steps.all}"`)}, each))
	r.leave(mock, "/only", question("{}"), 3)
	r.await("nothing is in flight", func(s report.Status) bool { return s.InFlight == 0 })
	if logs := r.logs.String(); strings.Contains(logs, "request failed") {
		t.Errorf("a client that left is logged as a fault: %s", logs)
	}
}
