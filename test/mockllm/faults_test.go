package mockllm

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStreamFaults says, for every fault, what of a stream of four tokens is
// seen, how it ends, and how the mock counts it.
func TestStreamFaults(t *testing.T) {
	all := []string{"R", "0", "1", "2", "3", "F", "D"} // role, tokens, finish reason, [DONE]
	tests := map[string]struct {
		script  string
		data    []string
		partial bool
		cut     bool
		outcome Outcome
		tokens  int
	}{
		"none":  {script: `{}`, data: all, outcome: OutcomeFinished, tokens: 4},
		"CRLF":  {script: `{"crlf":true}`, data: all, outcome: OutcomeFinished, tokens: 4},
		"split": {script: `{"splitBytes":1,"crlf":true}`, data: all, outcome: OutcomeFinished, tokens: 4},
		"truncate": {
			script: `{"fault":"Truncate","afterTokens":2}`,
			data:   []string{"R", "0", "1"}, cut: true, outcome: OutcomeFailed, tokens: 2,
		},
		"truncate at once": {
			script: `{"fault":"Truncate"}`,
			data:   []string{"R"}, cut: true, outcome: OutcomeFailed,
		},
		"truncate at the end": {
			script: `{"fault":"Truncate","afterTokens":99}`,
			data:   []string{"R", "0", "1", "2", "3"}, cut: true, outcome: OutcomeFailed, tokens: 4,
		},
		"mid-frame": {
			script: `{"fault":"TruncateMidFrame","afterTokens":1}`,
			data:   []string{"R", "0"}, partial: true, cut: true, outcome: OutcomeFailed, tokens: 1,
		},
		"end early": {
			script: `{"fault":"EndEarly","afterTokens":3}`,
			data:   []string{"R", "0", "1", "2"}, outcome: OutcomeFailed, tokens: 3,
		},
		"garbage": {
			script: `{"fault":"Garbage","afterTokens":1}`,
			data:   []string{"R", "0", "G", "1", "2", "3", "F", "D"}, outcome: OutcomeFinished, tokens: 4,
		},
		"giant": {
			script: `{"fault":"GiantFrame","afterTokens":4,"giantBytes":100000}`,
			data:   []string{"R", "0", "1", "2", "3", "X", "F", "D"}, outcome: OutcomeFinished, tokens: 4,
		},
		"error event": {
			script: `{"fault":"ErrorEvent","afterTokens":2}`,
			data:   []string{"R", "0", "1", "E"}, outcome: OutcomeFailed, tokens: 2,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mock, url, client := start(t, Options{Defaults: Script{Tokens: 4}})
			got := get(t, client, url, streamed, tt.script)
			events, partial := data(t, got.body)
			if diff := cmp.Diff(tt.data, kinds(events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if cut := errors.Is(got.readErr, io.ErrUnexpectedEOF); partial != tt.partial || cut != tt.cut {
				t.Errorf("partial %v, cut %v (%v); want %v, %v", partial, cut, got.readErr, tt.partial, tt.cut)
			}
			await(t, mock, "ended", func(s Stats) bool { return s.Open == 0 })
			r := mock.Requests()[0]
			if r.Outcome != tt.outcome || r.TokensSent != tt.tokens || r.BytesSent != int64(len(got.body)) {
				t.Errorf("%s after %d tokens and %d bytes; want %s after %d and %d",
					r.Outcome, r.TokensSent, r.BytesSent, tt.outcome, tt.tokens, len(got.body))
			}
			if crlf := strings.Contains(got.body, "\r\n"); crlf != strings.Contains(tt.script, "crlf") {
				t.Errorf("line ends: CRLF is %v in %q", crlf, got.body)
			}
		})
	}
}

// kinds names each event by a letter, or by its token's number.
func kinds(events []string) []string {
	var out []string
	for _, e := range events {
		var chunk struct {
			Error   *json.RawMessage `json:"error"`
			Choices []struct {
				FinishReason *string `json:"finish_reason"`
				Delta        struct {
					Role    string `json:"role"`
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
		}
		switch err := json.Unmarshal([]byte(e), &chunk); {
		case e == "[DONE]":
			out = append(out, "D")
		case err != nil:
			out = append(out, "G")
		case chunk.Error != nil:
			out = append(out, "E")
		case chunk.Choices[0].FinishReason != nil:
			out = append(out, "F")
		case chunk.Choices[0].Delta.Role != "":
			out = append(out, "R")
		case len(chunk.Choices[0].Delta.Content) == 100000:
			out = append(out, "X")
		default:
			out = append(out, strings.TrimSpace(strings.TrimPrefix(chunk.Choices[0].Delta.Content, "token-")))
		}
	}
	return out
}

func TestWholeFaults(t *testing.T) {
	tests := map[string]struct {
		script  string
		valid   bool // JSON
		cut     bool
		outcome Outcome
	}{
		"none":        {`{}`, true, false, OutcomeFinished},
		"truncate":    {`{"fault":"Truncate"}`, false, true, OutcomeFailed},
		"mid-frame":   {`{"fault":"TruncateMidFrame"}`, false, true, OutcomeFailed},
		"end early":   {`{"fault":"EndEarly"}`, false, false, OutcomeFailed},
		"garbage":     {`{"fault":"Garbage"}`, false, false, OutcomeFinished},
		"giant":       {`{"fault":"GiantFrame","giantBytes":100000}`, true, false, OutcomeFinished},
		"error event": {`{"fault":"ErrorEvent"}`, true, false, OutcomeFinished},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mock, url, client := start(t, Options{})
			got := get(t, client, url, whole, tt.script)
			valid, cut := json.Valid([]byte(got.body)), errors.Is(got.readErr, io.ErrUnexpectedEOF)
			if valid != tt.valid || cut != tt.cut {
				t.Errorf("valid %v, cut %v (%v); want %v, %v", valid, cut, got.readErr, tt.valid, tt.cut)
			}
			if len(got.body) < 100000 == strings.Contains(tt.script, "giant") {
				t.Errorf("a body of %d bytes", len(got.body))
			}
			await(t, mock, "ended", func(s Stats) bool { return s.Open == 0 })
			if r := mock.Requests()[0]; r.Outcome != tt.outcome {
				t.Errorf("outcome %s, want %s", r.Outcome, tt.outcome)
			}
		})
	}
}

func TestCloseBeforeHeaders(t *testing.T) {
	for _, body := range []string{streamed, whole} {
		mock, url, client := start(t, Options{})
		resp, err := post(t, client, url, body, `{"fault":"CloseBeforeHeaders"}`)
		if err == nil {
			resp.Body.Close()
			t.Fatalf("status %d, want a closed connection", resp.StatusCode)
		}
		await(t, mock, "failed", func(s Stats) bool { return s.Failed == 1 && s.BytesSent == 0 })
	}
}

// Every message that a gateway must not pass on says so by its content.
func TestErrorsCarryTheDetail(t *testing.T) {
	for _, script := range []string{`{"status":500}`, `{"fault":"ErrorEvent"}`, `{"fault":"Garbage"}`} {
		for _, body := range []string{streamed, whole} {
			_, url, client := start(t, Options{})
			if got := get(t, client, url, body, script); !strings.Contains(got.body, ErrorDetail) {
				t.Errorf("%s: no %q in %q", script, ErrorDetail, got.body)
			}
		}
	}
}

func TestFailNext(t *testing.T) {
	mock, url, client := start(t, Options{Defaults: Script{Tokens: 2}})
	mock.FailNext(2, Script{Status: 503, RetryAfter: "1"})
	mock.FailNext(1, Script{Status: 429})
	mock.FailNext(0, Script{Status: 500})
	var got []int
	for range 5 {
		got = append(got, get(t, client, url, whole, `{"text":"fine"}`).status)
	}
	if diff := cmp.Diff([]int{503, 503, 429, 200, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if s := mock.Stats(); s.Failed != 3 || s.Finished != 2 || s.Opened != 5 || s.PeakOpen != 1 {
		t.Errorf("figures %+v", s)
	}
}

func TestBearer(t *testing.T) {
	mock, url, client := start(t, Options{APIKey: testKey})
	for _, auth := range []string{"", "Bearer ", "Bearer sk-wrong-0123456789-secret", "Basic " + testKey, testKey + "x"} {
		for _, path := range []string{"GET /v1/models", "POST /v1/chat/completions"} {
			method, target, _ := strings.Cut(path, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, url+target, strings.NewReader(whole))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", auth)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized || err != nil {
				t.Errorf("%s with %q: %d, %v; want 401", path, auth, resp.StatusCode, err)
			}
			echoed := strings.Contains(string(body), "sk-wrong*") && strings.Contains(string(body), "*cret")
			if strings.Contains(auth, "wrong") && !echoed {
				t.Errorf("the body does not show part of the key, as real ones do: %s", body)
			}
		}
	}
	if s := mock.Stats(); s.Rejected != 10 || s.Opened != 0 {
		t.Errorf("figures %+v, want 10 rejected", s)
	}
}
