package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/relay"
)

// Every call asks for bytes as they are, even one with header fields of its own.
func TestNoCodingIsAskedFor(t *testing.T) {
	p := two(t, nil, "")
	ask := p.Ask
	p.Ask = func(u *Upstream) (*Question, error) {
		q, err := ask(u)
		q.Header = http.Header{"X-Own": {"1"}, "Accept": {"text/plain"}}
		return q, err
	}
	attempt, _ := p.Attempts()(t.Context(), relay.Failure{})
	defer attempt.Release()
	if got := attempt.Call.Header["Accept-Encoding"]; len(got) != 1 || got[0] != "identity" {
		t.Errorf("Accept-Encoding %q", got)
	}
}

// asked returns how an attempt of each kind ends if an upstream gives this answer.
func asked(t *testing.T, status int, h http.Header, body string) (whole, streamed relay.Failure) {
	t.Helper()
	client := clientFunc(func(context.Context, *Call) (*Answer, error) {
		return &Answer{Status: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
	once := func(_ context.Context, after relay.Failure) (*Attempt, relay.Failure) {
		if after.Kind != relay.NoFailure {
			return nil, after
		}
		return &Attempt{Call: &Call{}, FirstToken: patience, Idle: patience, Total: patience}, after
	}
	read := func(a *Fetched) error {
		if string(a.Body) != "{}" {
			return errors.New("not what was asked for")
		}
		return nil
	}
	_, err := Fetch(t.Context(), client, reading(once, read), Expect{}, nil)
	r := &run{}
	return failureIn(err), failureIn(Stream(t.Context(), client, tapped(once, letterTap{}), r, nil))
}

// The error for an answer in a coding that was not asked for names the coding, no matter what the bytes are, and never in the
// upstream's words.
func TestCodedAnswersAreMalformed(t *testing.T) {
	for coding, want := range map[string]string{
		"gzip": "is compressed (gzip)", "x-gzip": "is compressed (gzip)", "GZIP": "is compressed (gzip)", "br": "is compressed (br)",
		"zstd": "is compressed (zstd)", "deflate": "is compressed (deflate)", "identity, gzip": "is compressed (gzip)",
		" , compress": "is compressed (compress)", "MARK-secret": "unknown content coding", "utf-8": "unknown content coding",
		"identity": "", "": "", " Identity ,": "",
	} {
		for _, status := range []int{200, 203} {
			whole, streamed := asked(t, status, http.Header{
				"Content-Type": {"text/event-stream"}, "Content-Encoding": {coding},
			}, "{}")
			if want == "" {
				if whole.Kind != relay.NoFailure || streamed.Kind == relay.FailedMalformed {
					t.Errorf("%q: whole %v, streamed %v", coding, whole, streamed)
				}
				continue
			}
			for _, f := range []relay.Failure{whole, streamed} {
				if f.Kind != relay.FailedMalformed || !strings.Contains(f.Error(), want) || strings.Contains(f.Error(), "MARK") || !Retryable(f) {
					t.Errorf("%q: %v, want %s", coding, f, want)
				}
			}
		}
	}
	// Codings may be in several lines.
	whole, _ := asked(t, 200, http.Header{"Content-Encoding": {"identity", "gzip"}}, "{}")
	if whole.Kind != relay.FailedMalformed {
		t.Errorf("in a second line: %v", whole)
	}
}

// The error for an answer that could not be read names a type that was not asked for.
func TestTypesThatWereNotAskedForAreNamed(t *testing.T) {
	for media, want := range map[string]struct{ whole, streamed string }{
		"text/html":                         {"is HTML, not JSON", "is HTML, not an event stream"},
		"Text/HTML; charset=ISO-8859-1":     {"is HTML, not JSON", "is HTML, not an event stream"},
		"text/plain":                        {"is plain text, not JSON", "is plain text, not an event stream"},
		"application/json":                  {"not what was asked for", "is JSON, not an event stream"},
		"application/problem+json;x":        {"not what was asked for", "is JSON, not an event stream"},
		"application/x-ndjson":              {"is lines of JSON, not JSON", "is lines of JSON, not an event stream"},
		"application/octet-stream":          {"is binary data, not JSON", "is binary data, not an event stream"},
		"image/png":                         {"is of the type image, not JSON", "is of the type image, not an event stream"},
		"MARK/secret":                       {"is of another type, not JSON", "is of another type, not an event stream"},
		"text/event-stream":                 {"is an event stream, not JSON", ""},
		"TEXT/Event-Stream; charset":        {"is an event stream, not JSON", ""},
		"text/event-stream; charset=\"utf8": {"is an event stream, not JSON", ""},
		"":                                  {"not what was asked for", ""},
	} {
		whole, streamed := asked(t, 200, http.Header{"Content-Type": {media}}, "a")
		if whole.Kind != relay.FailedMalformed || !strings.Contains(whole.Error(), want.whole) || strings.Contains(whole.Error(), "MARK") {
			t.Errorf("%q, whole: %v, want %s", media, whole, want.whole)
		}
		if want.streamed == "" {
			if streamed.Kind == relay.FailedMalformed {
				t.Errorf("%q, streamed: %v", media, streamed)
			}
		} else if streamed.Kind != relay.FailedMalformed || !strings.Contains(streamed.Error(), want.streamed) || strings.Contains(streamed.Error(), "MARK") {
			t.Errorf("%q, streamed: %v, want %s", media, streamed, want.streamed)
		}
	}
	// An answer that can be read is read, no matter which type it states.
	if whole, _ := asked(t, 200, http.Header{"Content-Type": {"text/plain"}}, "{}"); whole.Kind != relay.NoFailure {
		t.Errorf("JSON that is called text: %v", whole)
	}
}

// Any 2xx of the right protocol is an answer, unless it has no body.
func TestEvery2xxIsAnAnswer(t *testing.T) {
	for status, want := range map[int]struct{ whole, streamed relay.FailureKind }{
		200: {}, 201: {}, 202: {}, 203: {}, 206: {}, 226: {}, 299: {},
		204: {relay.FailedMalformed, relay.FailedMalformed}, 205: {relay.FailedMalformed, relay.FailedMalformed},
		199: {relay.FailedStatus, relay.FailedStatus}, 300: {relay.FailedStatus, relay.FailedStatus},
		304: {relay.FailedStatus, relay.FailedStatus}, 400: {relay.FailedStatus, relay.FailedStatus},
	} {
		body, events := "{}", "data: c\n\ndata: d\n\n"
		if status == 204 || status == 205 {
			body, events = "", ""
		}
		whole, _ := asked(t, status, http.Header{"Content-Type": {"application/json"}}, body)
		_, streamed := asked(t, status, http.Header{"Content-Type": {eventStream}}, events)
		if whole.Kind != want.whole || streamed.Kind != want.streamed {
			t.Errorf("%d: whole %v, streamed %v", status, whole, streamed)
		}
		if body == "" && (!strings.Contains(whole.Error(), "has no body") || !strings.Contains(streamed.Error(), "has no body")) {
			t.Errorf("%d: whole %v, streamed %v", status, whole, streamed)
		}
	}
}
