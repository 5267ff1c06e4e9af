package program

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

func valid() *config.Config {
	second := config.Duration(time.Second)
	return &config.Config{
		Version: config.Version,
		Service: config.Service{Name: "assistant", Namespace: "team-a"},
		Upstreams: []config.Upstream{{
			Name: "fast", OpenAI: &config.OpenAI{Model: "m"}, Endpoints: []config.Endpoint{{URL: "http://model:8000/v1"}},
			Auth:     &config.Auth{Bearer: &config.SecretFile{Secret: "keys", Key: "openai"}},
			Timeouts: config.Timeouts{Connect: second, FirstToken: second, Idle: second, Total: second},
		}},
		Models: []config.Model{{Name: "assistant", Upstreams: []string{"fast"}}},
		Routes: []config.Route{{
			Path: "/answer", Method: "POST", Timeout: config.Duration(90 * time.Second), Budget: config.Budget{MaxCalls: 8, MaxBytes: 1 << 20},
			Request:  &config.Request{Schema: []byte(`{"type":"object"}`)},
			Steps:    []config.Step{{Name: "answer", Action: config.Action{Chat: &config.Chat{Upstream: "fast", Messages: []config.Message{{Role: "user", Content: "${request.body.q}"}}}}}},
			Response: &config.Response{Body: []byte(`{"a":"${steps.answer.text}"}`)},
		}},
		Runtime: config.Runtime{MaxInFlight: 10},
	}
}

func TestRoundTrip(t *testing.T) {
	encoded, err := config.Encode(valid())
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(valid(), loaded.Config); diff != "" {
		t.Error(diff)
	}
	again, err := config.Encode(loaded.Config)
	if err != nil || delivery.Revision(again) != delivery.Revision(encoded) {
		t.Errorf("another revision after a round trip (%v)", err)
	}
}

func TestEncodeTooLarge(t *testing.T) {
	c := valid()
	c.Routes[0].Summary = strings.Repeat("x", config.MaxBytes)
	_, err := config.Encode(c)
	if tooLarge, ok := errors.AsType[*config.TooLargeError](err); !ok || tooLarge.Bytes <= config.MaxBytes {
		t.Errorf("error %v, want a TooLargeError", err)
	}
}

func TestLoadIsStrict(t *testing.T) {
	encoded, err := config.Encode(valid())
	if err != nil {
		t.Fatal(err)
	}
	text := string(encoded)
	for name, tt := range map[string]struct{ document, want string }{
		"another version":       {strings.Replace(text, `"v1"`, `"v2"`, 1), `unsupported config version "v2": this gateway reads "v1"`},
		"a newer document":      {`{"version":"v2","new":1}`, "unsupported config version"},
		"no version":            {`{}`, "unsupported config version"},
		"an unknown member":     {strings.Replace(text, `"runtime":{`, `"runtime":{"extra":1,`, 1), "extra"},
		"another case":          {strings.Replace(text, `"maxInFlight"`, `"MaxInFlight"`, 1), "MaxInFlight"},
		"a member twice":        {strings.Replace(text, `"runtime":{`, `"runtime":{"maxInFlight":1,`, 1), "duplicate"},
		"something behind":      {text + `{}`, "decode config"},
		"cut off":               {text[:len(text)-5], "decode config"},
		"empty":                 {"", "decode config"},
		"a number for duration": {strings.Replace(text, `"1m30s"`, `90`, 1), "decode config"},
		"a wrong duration":      {strings.Replace(text, `"1m30s"`, `"1d"`, 1), `duration "1d"`},
		"an unknown upstream":   {strings.Replace(text, `"upstream":"fast"`, `"upstream":"slow"`, 1), `routes[0].steps[0].chat.upstream: there is no upstream "slow"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load([]byte(tt.document))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	encoded, err := config.Encode(valid())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	rich, err := config.Encode(typed())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(rich)
	f.Add([]byte(`{"version":"v1"}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := Load(document)
		if err != nil {
			return
		}
		again, err := config.Encode(p.Config)
		if err != nil {
			t.Skip("too large") // the loader reads what it is given; only the writer is bounded
		}
		if _, err := Load(again); err != nil {
			t.Errorf("loaded once, not again: %v", err)
		}
	})
}

func TestValidate(t *testing.T) {
	if errs := Validate(valid()); len(errs) > 0 {
		t.Fatalf("the valid one: %v", errs)
	}
	for path, tt := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"service.name":        {func(c *config.Config) { c.Service.Name = "" }, "required"},
		"runtime.maxInFlight": {func(c *config.Config) { c.Runtime.MaxInFlight = -1 }, "at least 1"},
		"runtime.requestBodyLimit": {
			func(c *config.Config) { c.Runtime.RequestBodyLimit = config.MaxRequestBodyLimit + 1 }, "is 16777217 bytes, want 1024 to 16777216",
		},
		"runtime.trustedProxies[1]": {
			func(c *config.Config) { c.Runtime.TrustedProxies = []string{"fd00::/8", "10.0.0.1/8"} }, `is "10.0.0.1/8": an address within a network; want 10.0.0.0/8`,
		},
		"runtime.trustedProxies[0]": {
			func(c *config.Config) { c.Runtime.TrustedProxies = []string{"10.0.0.1"} }, "want a network in CIDR notation, such as 10.0.0.0/8 or fd00::/8",
		},
		"runtime.requestLog": {func(c *config.Config) { c.Runtime.RequestLog = "None" }, `is "None", want one of Failed, All`},
		"upstreams[0].name":  {func(c *config.Config) { c.Upstreams[0].Name = "" }, "required"},
		"upstreams[1].name":  {func(c *config.Config) { c.Upstreams = append(c.Upstreams, c.Upstreams[0]) }, "another upstream"},
		"upstreams[1]": {func(c *config.Config) {
			c.Upstreams = append(c.Upstreams, c.Upstreams[0])
			c.Upstreams[1].Name, c.Upstreams[1].OpenAI = "bare", nil
		}, "no protocol"},
		"upstreams[0].openAI.model":            {func(c *config.Config) { c.Upstreams[0].OpenAI.Model = "" }, "required"},
		"upstreams[0].endpoints":               {func(c *config.Config) { c.Upstreams[0].Endpoints = nil }, "at least one"},
		"upstreams[0].endpoints[0].url":        {func(c *config.Config) { c.Upstreams[0].Endpoints[0].URL = "http://" }, "no host"},
		"upstreams[0].auth":                    {func(c *config.Config) { c.Upstreams[0].Auth.Bearer = nil }, "want one of bearer, header, query and basic"},
		"upstreams[0].auth.bearer.secret":      {func(c *config.Config) { c.Upstreams[0].Auth.Bearer.Secret = "../x" }, "not the name"},
		"upstreams[0].auth.bearer.key":         {func(c *config.Config) { c.Upstreams[0].Auth.Bearer.Key = ".." }, "not the name"},
		"upstreams[0].timeouts.connect":        {func(c *config.Config) { c.Upstreams[0].Timeouts.Connect = 0 }, "more than 0s"},
		"upstreams[0].timeouts.header":         {func(c *config.Config) { c.Upstreams[0].Timeouts.Header = -1 }, "more than 0s"},
		"upstreams[0].timeouts.firstToken":     {func(c *config.Config) { c.Upstreams[0].Timeouts.FirstToken = -1 }, "more than 0s"},
		"upstreams[0].timeouts.idle":           {func(c *config.Config) { c.Upstreams[0].Timeouts.Idle = 0 }, "more than 0s"},
		"upstreams[0].timeouts.total":          {func(c *config.Config) { c.Upstreams[0].Timeouts.Total = 0 }, "more than 0s"},
		"upstreams[0].endpoints[0].resolution": {func(c *config.Config) { c.Upstreams[0].Endpoints[0].Resolution = "Each" }, "want one of Host, EachAddress"},
		"upstreams[0].endpoints[1].resolution": {func(c *config.Config) {
			c.Upstreams[0].Endpoints = append(c.Upstreams[0].Endpoints, config.Endpoint{URL: "http://[::1]:8000", Resolution: config.ResolutionEachAddress})
		}, "is an address, and not a name"},
		"upstreams[0].loadBalancing":       {func(c *config.Config) { c.Upstreams[0].LoadBalancing = "Random" }, "want one of LeastInFlight, RoundRobin, ConsistentHash"},
		"upstreams[0].maxInFlight":         {func(c *config.Config) { c.Upstreams[0].MaxInFlight = -1 }, "want from 0"},
		"upstreams[0].endpoints[0].weight": {func(c *config.Config) { c.Upstreams[0].Endpoints[0].Weight = 1001 }, "to 1000"},
		"upstreams[0].endpoints[0].maxInFlight": {
			func(c *config.Config) { c.Upstreams[0].Endpoints[0].MaxInFlight = 100001 }, "to 100000",
		},
		"upstreams[0].queue": {func(c *config.Config) { c.Upstreams[0].Queue = &config.Queue{Depth: 1} }, "has no effect without maxInFlight"},
		"upstreams[0].retries.retryOn[1]": {func(c *config.Config) {
			c.Upstreams[0].Retries = &config.Retries{RetryOn: []string{"Timeout", "Always"}}
		}, "want each of Connect, Reset"},
		"upstreams[0].retries.retryOn[2]": {func(c *config.Config) {
			c.Upstreams[0].Retries = &config.Retries{RetryOn: []string{"Timeout", "Reset", "Timeout"}}
		}, "at most once"},
		"upstreams[0].retries.attempts": {func(c *config.Config) {
			c.Upstreams[0].Retries = &config.Retries{Attempts: 11}
		}, "11"},
		"upstreams[0].retries.budgetPercent": {func(c *config.Config) {
			c.Upstreams[0].Retries = &config.Retries{BudgetPercent: 101}
		}, "101"},
		"upstreams[0].queue.depth": {func(c *config.Config) {
			c.Upstreams[0].MaxInFlight, c.Upstreams[0].Queue = 1, &config.Queue{Depth: 10001}
		}, "to 10000"},
		"upstreams[0].queue.timeout": {func(c *config.Config) {
			c.Upstreams[0].Endpoints[0].MaxInFlight, c.Upstreams[0].Queue = 1, &config.Queue{Timeout: -1}
		}, "more than 0s"},
		"upstreams[0].slowStart": {func(c *config.Config) { c.Upstreams[0].SlowStart = -1 }, "more than 0s"},
		"upstreams[0].ejection.consecutiveFailures": {
			func(c *config.Config) { c.Upstreams[0].Ejection = &config.Ejection{ConsecutiveFailures: 1001} }, "to 1000",
		},
		"upstreams[0].ejection.failureRatio.percent": {func(c *config.Config) {
			c.Upstreams[0].Ejection = &config.Ejection{FailureRatio: &config.FailureRatio{}}
		}, "from 1 to 100"},
		"upstreams[0].ejection.failureRatio.minCalls": {func(c *config.Config) {
			c.Upstreams[0].Ejection = &config.Ejection{FailureRatio: &config.FailureRatio{Percent: 1, MinCalls: -1}}
		}, "from 0"},
		"upstreams[0].ejection.failureRatio.window": {func(c *config.Config) {
			c.Upstreams[0].Ejection = &config.Ejection{FailureRatio: &config.FailureRatio{Percent: 1, Window: -1}}
		}, "more than 0s"},
		"upstreams[0].ejection.backoff.initial": {func(c *config.Config) {
			c.Upstreams[0].Ejection = &config.Ejection{Backoff: &config.Backoff{Initial: config.Duration(time.Minute)}}
		}, "is 1m0s, want at most max, which is 30s"},
		"upstreams[0].ejection.backoff.max": {func(c *config.Config) {
			c.Upstreams[0].Ejection = &config.Ejection{Backoff: &config.Backoff{Initial: 1, Max: -1}}
		}, "more than 0s"},
		"upstreams[0].ejection.maxPercent": {func(c *config.Config) {
			c.Upstreams[0].Ejection = &config.Ejection{MaxPercent: new(101)}
		}, "from 0 to 100"},
		"upstreams[0].ejection.panicPercent": {
			func(c *config.Config) { c.Upstreams[0].Ejection = &config.Ejection{PanicPercent: -1} }, "from 0 to 100",
		},
		"models[0].name":           {func(c *config.Config) { c.Models[0].Name = "" }, "required"},
		"models[1].name":           {func(c *config.Config) { c.Models = append(c.Models, c.Models[0]) }, "another model"},
		"models[0].upstreams":      {func(c *config.Config) { c.Models[0].Upstreams = nil }, "at least one"},
		"models[0].upstreams[0]":   {func(c *config.Config) { c.Models[0].Upstreams[0] = "slow" }, `no upstream "slow"`},
		"routes[0].path":           {func(c *config.Config) { c.Routes[0].Path = "/v1/answer" }, "belongs to the gateway"},
		"routes[1].path":           {func(c *config.Config) { c.Routes = append(c.Routes, c.Routes[0]) }, "another route"},
		"routes[0].method":         {func(c *config.Config) { c.Routes[0].Method = "post" }, "want one of GET"},
		"routes[0].timeout":        {func(c *config.Config) { c.Routes[0].Timeout = 0 }, "more than 0s"},
		"routes[0].request.schema": {func(c *config.Config) { c.Routes[0].Request.Schema = []byte(`{"type":"text"}`) }, "/type"},
		"routes[0].steps": {func(c *config.Config) {
			c.Routes[0].Steps = nil
			c.Routes[0].Response = &config.Response{Events: &config.Events{Progress: true}}
		}, "at least one"},
		"routes[0].steps[0].name": {func(c *config.Config) {
			c.Routes[0].Steps[0].Name = ""
			c.Routes[0].Response = &config.Response{Body: []byte(`1`)}
		}, "not a valid name"},
		"routes[0].steps[0]":                          {func(c *config.Config) { c.Routes[0].Steps[0].Chat = nil }, "no kind"},
		"routes[0].steps[0].chat.upstream":            {func(c *config.Config) { c.Routes[0].Steps[0].Chat.Upstream = "slow" }, `no upstream "slow"`},
		"routes[0].steps[0].chat.messages":            {func(c *config.Config) { c.Routes[0].Steps[0].Chat.Messages = nil }, "at least one"},
		"routes[0].steps[0].chat.parameters.stream":   {func(c *config.Config) { c.Routes[0].Steps[0].Chat.Parameters = []byte(`{"stream":true}`) }, "may not be set"},
		"routes[0].steps[0].chat.parameters":          {func(c *config.Config) { c.Routes[0].Steps[0].Chat.Parameters = []byte(`[1]`) }, "JSON object"},
		"routes[0].response":                          {func(c *config.Config) { c.Routes[0].Response.Stream = "answer" }, "one of stream, body and events"},
		"routes[0].response.stream":                   {func(c *config.Config) { c.Routes[0].Response = &config.Response{Stream: "other"} }, `no step "other"`},
		"routes[0].response.body.a[0]":                {func(c *config.Config) { c.Routes[0].Response.Body = []byte(`{"a":["${steps.other.text}"]}`) }, "steps has answer"},
		"routes[0].steps[0].chat.messages[0].role":    {func(c *config.Config) { c.Routes[0].Steps[0].Chat.Messages[0].Role = "me" }, "want one of system"},
		"routes[0].steps[0].chat.messages[0].content": {func(c *config.Config) { c.Routes[0].Steps[0].Chat.Messages[0].Content = "a ${nope}" }, "column"},
	} {
		t.Run(path, func(t *testing.T) {
			c := valid()
			tt.change(c)
			errs := Validate(c)
			if len(errs) != 1 && path != "upstreams[0].name" { // whose users then have no upstream
				t.Fatalf("errors %v, want one", errs)
			}
			if errs[0].Path != path || !strings.Contains(errs[0].Message, tt.want) {
				t.Errorf("error %v, want %s: … %s", errs[0], path, tt.want)
			}
		})
	}
}

func TestValidateEndpoints(t *testing.T) {
	for url, want := range map[string]string{
		"http://model:8000/v1":   "",
		"https://api.openai.com": "",
		"http://[::1]:80/v1":     "",
		"http://":                "no host",
		"https://:443":           "no host",
		"ftp://model":            "scheme",
		"model:8000":             "scheme",
		"http://a b":             "not a URL",
		"http://%zz":             "not a URL",
		"http://u:p@model":       "user information",
		"http://model?x=1":       "query",
		"http://model#x":         "fragment",
	} {
		c := valid()
		c.Upstreams[0].Endpoints[0].URL = url
		errs := Validate(c)
		if (want == "") != (len(errs) == 0) || (want != "" && !strings.Contains(errs.Error(), want)) {
			t.Errorf("%s: %v, want %q", url, errs, want)
		}
		if strings.Contains(errs.Error(), "u:p") {
			t.Errorf("credentials in %v", errs)
		}
	}
}

// A config is held against its bounds once nothing else is wrong with it.
func TestValidateRefusesTheUnmeetable(t *testing.T) {
	for upstream, want := range map[string]string{
		"fast": "routes[0].budget.maxCalls: is 1, but each successful answer needs at least 2 calls",
		"none": `routes[0].steps[1].chat.upstream: there is no upstream "none"`,
	} {
		c := valid()
		r := &c.Routes[0]
		second := *r.Steps[0].Chat
		second.Upstream = upstream
		r.Budget.MaxCalls, r.Steps = 1, append(r.Steps, config.Step{Name: "again", Action: config.Action{Chat: &second}})
		if errs := Validate(c); len(errs) != 1 || !strings.Contains(errs.Error(), want) {
			t.Errorf("got %v, want %s", errs, want)
		}
	}
}

// A wait for the head that others end in any case would do nothing.
func TestAHeaderTimeoutHasAnEffect(t *testing.T) {
	const second = config.Duration(time.Second)
	for _, tt := range []struct {
		header, firstToken, total config.Duration
		http                      bool
		want                      string
	}{
		{0, 1, 1, false, ""},
		{9, 10, 5, false, ""},
		{9, 5, 10, false, ""},
		{10, 10, 5, false, "want less than firstToken, 10s"},
		{10, 5, 10, false, "want less than total, 10s"},
		{9, 10, 5, true, "want less than total, 5s"}, // http steps have whole answers only
		{4, 10, 5, true, ""},
	} {
		c := valid()
		u := &c.Upstreams[0]
		if tt.http {
			u = &config.Upstream{Name: "search", HTTP: &config.HTTP{}, Endpoints: u.Endpoints, Timeouts: u.Timeouts}
			c.Upstreams = append(c.Upstreams, *u)
			u = &c.Upstreams[len(c.Upstreams)-1]
		}
		u.Timeouts.Header = tt.header * second
		u.Timeouts.FirstToken, u.Timeouts.Total = tt.firstToken*second, tt.total*second
		wants(t, c, tt.want)
	}
}
