package mockllm

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStreamBytes is OpenAI's format to the letter: role, content, finish
// reason, usage where asked for, [DONE].
func TestStreamBytes(t *testing.T) {
	_, url, client := start(t, Options{})
	const body = `{"model":"a\"b","stream":true,"stream_options":{"include_usage":true},
		"messages":[{"role":"user","content":[
			{"type":"text","text":"[[mock {\"text\":\"Hé \\\"you\\\"\"}]]"},{"type":"image_url"}]},
		{"role":"assistant","content":null}]}`
	got := get(t, client, url, body, "")
	kind := got.header.Get("Content-Type")
	if got.status != http.StatusOK || kind != "text/event-stream; charset=utf-8" || got.readErr != nil {
		t.Fatalf("%d %s, %v", got.status, kind, got.readErr)
	}
	created := regexp.MustCompile(`"created":\d{9,}`)
	want := strings.Join([]string{
		delta(`{"role":"assistant","content":"","refusal":null}`, `null`),
		delta(`{"content":"Hé "}`, `null`),
		delta(`{"content":"\"you\""}`, `null`),
		delta(`{}`, `"stop"`),
		chunk(`"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}`),
		"data: [DONE]\n\n",
	}, "")
	if diff := cmp.Diff(want, created.ReplaceAllString(got.body, `"created":0`)); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}

func chunk(rest string) string {
	return `data: {"id":"chatcmpl-mock-1","object":"chat.completion.chunk","created":0,"model":"a\"b",` + rest + "}\n\n"
}

func delta(delta, finish string) string {
	choice := `{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}`
	return chunk(`"choices":[` + choice + `],"usage":null`)
}

func TestNoUsageUnlessAskedFor(t *testing.T) {
	_, url, client := start(t, Options{})
	if got := get(t, client, url, streamed, ""); strings.Contains(got.body, "usage") {
		t.Errorf("usage in %q", got.body)
	}
}

// Every token must be on its way before the next is due, or a client would not
// see a stream: the handler here waits for ever after the third.
func TestTokensAreFlushed(t *testing.T) {
	_, url, client := start(t, Options{})
	resp, err := post(t, client, url, streamed, `{"fault":"Silence","afterTokens":3}`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got strings.Builder
	for buf := make([]byte, 1024); !strings.Contains(got.String(), "token-2 "); {
		n, err := resp.Body.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
	}
}

func TestManyStreams(t *testing.T) {
	const streams = 200
	mock, url, client := start(t, Options{KeepRequests: 10})
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = streams
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() {
			resp, err := post(t, client, url, streamed, fmt.Sprintf(`{"tokens":20,"text":"stream %d"}`, i))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if want := fmt.Sprintf(`"%d"`, i); err != nil || !strings.Contains(string(b), want) {
				t.Errorf("stream %d: %v, %q", i, err, b)
			}
		})
	}
	wg.Wait()
	await(t, mock, "all finished", func(s Stats) bool { return s.Finished == streams && s.Open == 0 })
	if s := mock.Stats(); s.TokensSent != 2*streams || s.Opened != streams || s.PeakOpen < 1 {
		t.Errorf("figures %+v", s)
	}
	if n := len(mock.Requests()); n != 10 {
		t.Errorf("%d requests kept, want 10", n)
	}
}

func TestStatsEndpoint(t *testing.T) {
	mock, url, client := start(t, Options{APIKey: testKey}) // open to all, like /healthz
	for path, check := range map[string]func(string) bool{
		"/healthz": func(body string) bool { return body == "ok\n" },
		"/_mock/stats": func(body string) bool {
			var s Stats
			return json.Unmarshal([]byte(body), &s) == nil && s == mock.Stats() && strings.Contains(body, `"peakOpen":`)
		},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !check(string(b)) {
			t.Errorf("%s: %d %q, %v", path, resp.StatusCode, b, err)
		}
	}
}

func TestRequestsAreRecorded(t *testing.T) {
	mock, url, client := start(t, Options{})
	get(t, client, url, whole, `{"tokens":3}`)
	await(t, mock, "finished", func(s Stats) bool { return s.Finished == 1 })
	got := mock.Requests()[0]
	header := got.Header.Get(ScriptHeader)
	if string(got.Body) != whole || header != `{"tokens":3}` || got.Script.Tokens != 3 || got.TokensSent != 3 {
		t.Errorf("recorded %+v", got)
	}
}

func TestATokenAllocatesNothing(t *testing.T) {
	rep := newReply(chatRequest{Model: "m"}, Script{Tokens: 1000}, 1)
	f := chatForm.stream(rep)
	f.token(rep, 999) // grows the buffer
	if n := testing.AllocsPerRun(100, func() { f.token(rep, 500) }); n != 0 {
		t.Errorf("%v allocations per token, want none", n)
	}
}

// BenchmarkStream is a reply of 64 tokens without delays, client included.
func BenchmarkStream(b *testing.B) {
	_, url, client := start(b, Options{Defaults: Script{Tokens: 64}})
	b.ReportAllocs()
	for b.Loop() {
		get(b, client, url, streamed, "")
	}
}
