package samples

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/test/admitted"
	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/seed"
)

const (
	requestsToEach = 60              // route
	timeForEach    = 3 * time.Second // manifest
	triesForEach   = 200             // value, until its schema admits one
)

// TestWhatSchemasAdmitIsNeverTheServersFault sends to each route of the samples, and of the manifests of other tests, what its
// schemas admit: nothing of it may make the gateway answer with a 5xx.
func TestWhatSchemasAdmitIsNeverTheServersFault(t *testing.T) {
	seed := seed.Of(t)
	files := []string{"test/oracle/service.yaml", "controllers/render/testdata/full.yaml", "test/scenario/samples/testdata/edges.yaml"}
	for _, s := range All() {
		files = append(files, s.File())
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			c := admitting(t, file, seed)
			deadline := time.Now().Add(timeForEach)
			for i := range c.Routes {
				if !brokenOnPurpose[c.Routes[i].Path] {
					c.storm(t, &c.Routes[i], seed, deadline)
				}
			}
		})
	}
}

// brokenOnPurpose are routes whose answers cannot satisfy their own schema.
var brokenOnPurpose = map[string]bool{"/people": true}

// admission is a config that is served, and where.
type admission struct {
	*config.Config

	url string
}

// admitting serves a manifest before upstreams that answer whatever is asked of them.
func admitting(t *testing.T, file string, seed uint64) *admission {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	service, err := manifest.Load(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := render.Contract(service)
	if err != nil {
		t.Fatal(err)
	}
	upstreams := httptest.NewServer(&obliging{services: mockllm.New(mockllm.Options{}), seed: seed})
	t.Cleanup(upstreams.Close)
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		at := upstreams.URL + model
		if u.HTTP != nil {
			at = upstreams.URL + served(file, u.Name)
		}
		u.Endpoints, u.Auth = []config.Endpoint{{URL: at}}, nil
	}
	encoded, err := config.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, delivery.CurrentKey), encoded)
	g, err := gateway.New(gateway.Options{
		ConfigDir: dir, SecretsDir: t.TempDir(), Workers: 2, MaxStreamDuration: within, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &admission{c, "http://" + run(t, g)}
}

// served is the path of the mock's service that a sample's upstream is; without waiting for others.
func served(file, name string) string {
	for _, s := range All() {
		if s.File() == file {
			return strings.NewReplacer(pair, "", trio, "").Replace(s.upstreams[name])
		}
	}
	return web
}

// storm sends values that a route's schemas admit.
func (a *admission) storm(t *testing.T, r *config.Route, seed uint64, deadline time.Time) {
	t.Helper()
	values := newValues(t, r, seed)
	client := &http.Client{
		Timeout: within, Transport: &http.Transport{},
		// Where a redirect leads is not the gateway.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	for sent := 0; sent < requestsToEach && (sent == 0 || time.Now().Before(deadline)); sent++ {
		req, body := values.request(t, a.url, r)
		if req == nil {
			continue
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", req.Method, req.URL, err)
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if code := fault(resp.StatusCode, answer); err != nil || code != "" {
			t.Errorf("%s %s %v %.2000q: %d %.500s (%v)", req.Method, req.URL, req.Header, body, resp.StatusCode, answer, err)
			return
		}
	}
	if values.made == 0 {
		t.Errorf("%s %s: no value was made that its schemas admit", r.Method, r.Path)
	}
}

var errorCode = regexp.MustCompile(`"code":"([a-z_]+)"`)

// fault is what is wrong with an answer; "" if the client can have caused it.
func fault(status int, answer []byte) string {
	if status >= http.StatusInternalServerError {
		return strconv.Itoa(status)
	}
	for event := range strings.SplitSeq(string(answer), "\n\n") {
		if !strings.HasPrefix(event, "event: error\n") && !strings.HasPrefix(event, `data: {"error":`) {
			continue
		}
		if code := errorCode.FindStringSubmatch(event); code == nil || code[1] != "invalid_request" {
			return event
		}
	}
	return ""
}

// values make requests to one route.
type values struct {
	random     *rand.Rand
	body       *admitted.Source
	schema     *schema.Schema
	parameters []*schema.Parameter
	texts      []*admitted.Source // of the parameters
	made       int
}

var places = map[string]schema.ParameterPlace{config.InPath: schema.Path, config.InQuery: schema.Query, config.InHeader: schema.Header, config.InCookie: schema.Cookie}

func newValues(t *testing.T, r *config.Route, seed uint64) *values {
	t.Helper()
	v := &values{random: rand.New(rand.NewPCG(seed, 1))}
	raw := jsontext.Value("true")
	var err error
	if r.Request != nil {
		for i := range r.Request.Parameters {
			p := &r.Request.Parameters[i]
			text := p.Schema
			if text == nil {
				text = jsontext.Value(`{"type":"string"}`)
			}
			compiled, err := schema.CompileParameter(text, places[p.In], p.Name, p.Required)
			if err != nil {
				t.Fatal(err)
			}
			source, err := admitted.New(text, seed+uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			v.parameters, v.texts = append(v.parameters, compiled), append(v.texts, source)
		}
		if r.Request.Schema != nil {
			raw = r.Request.Schema
			if v.schema, err = schema.Compile(raw); err != nil {
				t.Fatal(err)
			}
		}
	}
	if v.body, err = admitted.New(raw, seed); err != nil {
		t.Fatal(err)
	}
	return v
}

// request is one whose values the route's schemas admit; nil if none was found.
func (v *values) request(t *testing.T, base string, r *config.Route) (*http.Request, jsontext.Value) {
	t.Helper()
	path, query, header := r.Path, url.Values{}, http.Header{}
	for i, p := range v.parameters {
		described := &r.Request.Parameters[i]
		text, ok := v.parameter(t.Context(), p, v.texts[i], described.In)
		switch {
		case described.In == config.InPath && !ok:
			return nil, nil
		case !ok:
		case described.In == config.InPath:
			path = strings.Replace(path, "{"+described.Name+"}", url.PathEscape(text), 1)
		case described.In == config.InQuery:
			query.Set(described.Name, text)
		default:
			header.Set(described.Name, text)
		}
	}
	var body jsontext.Value
	if v.schema != nil || r.Method != http.MethodGet {
		if body = v.admittedBody(t.Context()); body == nil {
			return nil, nil
		}
		header.Set("Content-Type", "application/json")
		if r.Request.IsForm() {
			var media string
			body, media = formOf(t, r.Request.Form, body)
			header.Set("Content-Type", media)
		}
	}
	v.made++
	req, err := http.NewRequestWithContext(t.Context(), r.Method, base+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	req.Header = header
	return req, body
}

func (v *values) admittedBody(ctx context.Context) jsontext.Value {
	for range triesForEach {
		body := v.body.JSON()
		if v.schema == nil {
			return body
		}
		if _, wrong, err := v.schema.Check(ctx, body); err == nil && len(wrong) == 0 {
			return body
		}
	}
	return nil
}

// parameter is a text that the parameter's schema admits; false leaves it out.
func (v *values) parameter(ctx context.Context, p *schema.Parameter, source *admitted.Source, in string) (string, bool) {
	if in != config.InPath && v.random.IntN(3) == 0 {
		if _, wrong, err := p.Parse(schema.NewWorkBudget(ctx), nil); err == nil && len(wrong) == 0 {
			return "", false
		}
	}
	for range triesForEach {
		text := admitted.Texts[v.random.IntN(len(admitted.Texts))]
		if v.random.IntN(2) == 0 {
			text = asText(source.JSON())
		}
		if in == config.InPath && text == "" || in == config.InHeader && strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			continue
		}
		if _, wrong, err := p.Parse(schema.NewWorkBudget(ctx), []string{text}); err == nil && len(wrong) == 0 {
			return text, true
		}
	}
	return "", false
}

// asText is how a value is written as a parameter.
func asText(value jsontext.Value) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// obliging is upstreams that do what they are asked for: a model that calls each tool once, answers by the schema that it is given,
// and says yes to all else; and the services of the mock.
type obliging struct {
	services http.Handler
	seed     uint64
}

func (o *obliging) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != model+"/chat/completions" {
		o.services.ServeHTTP(w, r)
		return
	}
	var asked struct {
		Stream   bool `json:"stream"`
		Messages []struct {
			Role string `json:"role"`
		} `json:"messages"`
		Tools []struct {
			Function struct {
				Name       string         `json:"name"`
				Parameters jsontext.Value `json:"parameters"`
			} `json:"function"`
		} `json:"tools"`
		Format struct {
			Schema struct {
				Schema jsontext.Value `json:"schema"`
			} `json:"json_schema"`
		} `json:"response_format"`
	}
	if err := json.UnmarshalRead(r.Body, &asked); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	message := map[string]any{"role": "assistant", "content": "yes"}
	finish := "stop"
	if last := asked.Messages[len(asked.Messages)-1].Role; last != "tool" && len(asked.Tools) > 0 {
		var calls []any
		for i, tool := range asked.Tools {
			calls = append(calls, map[string]any{"index": i, "id": fmt.Sprint("call", i), "type": "function", "function": map[string]any{
				"name": tool.Function.Name, "arguments": string(o.value(r.Context(), tool.Function.Parameters)),
			}})
		}
		message, finish = map[string]any{"role": "assistant", "content": nil, "tool_calls": calls}, "tool_calls"
	} else if asked.Format.Schema.Schema != nil {
		message["content"] = string(o.value(r.Context(), asked.Format.Schema.Schema))
	}
	answer(w, asked.Stream, message, finish)
}

// value is one that a schema admits, as a model would give it.
func (o *obliging) value(ctx context.Context, raw jsontext.Value) jsontext.Value {
	source, err := admitted.New(raw, o.seed) // so that those agree who vote
	compiled, wrong := schema.Compile(raw)
	if err != nil || wrong != nil {
		return jsontext.Value("null")
	}
	value := source.JSON()
	for range triesForEach {
		if _, violations, err := compiled.CheckText(ctx, value, "value"); err == nil && len(violations) == 0 {
			break
		}
		value = source.JSON()
	}
	return value
}

func answer(w http.ResponseWriter, streams bool, message map[string]any, finish string) {
	const usage = `"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}`
	encoded, _ := json.Marshal(message) // it is plain
	if !streams {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":%s,"finish_reason":%q}],%s}`, encoded, finish, usage)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, choice := range []string{
		fmt.Sprintf(`{"index":0,"delta":%s,"finish_reason":null}`, encoded), fmt.Sprintf(`{"index":0,"delta":{},"finish_reason":%q}`, finish),
	} {
		_, _ = fmt.Fprintf(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[%s]}\n\n", choice)
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}
