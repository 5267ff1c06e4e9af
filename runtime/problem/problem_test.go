package problem

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var twoViolations = []Violation{
	{Type: "missing", Loc: []any{"body", "messages", 0, "role"}, Msg: "Field required"},
	{Type: "too_short", Loc: []any{"body", "n"}, Msg: "Input should be <b>", Ctx: map[string]any{"ge": json.Number("1.50")}},
}

func TestReply(t *testing.T) {
	const contentType = "application/json"
	type want struct {
		status int
		header []Field
		body   string
	}
	plain := []Field{{"Content-Type", contentType}}
	after := func(s string) []Field { return []Field{{"Content-Type", contentType}, {"Retry-After", s}} }
	tests := map[string]struct {
		err             *Error
		fastapi, openai want
	}{
		"not found": {
			New(NotFound),
			want{404, plain, `{"detail":"Not Found"}`},
			want{404, plain, `{"error":{"message":"This path does not exist. GET /openapi.json lists those that do.","type":"invalid_request_error","param":null,"code":"not_found"}}`},
		},
		"a gate's own refusal": {
			&Error{Status: 401, Code: "unauthenticated", Message: "No valid key."},
			want{401, plain, `{"detail":"No valid key."}`},
			want{401, plain, `{"error":{"message":"No valid key.","type":"invalid_request_error","param":null,"code":"unauthenticated"}}`},
		},
		"a gate's own failure": {
			&Error{Status: 503, Code: "no_keys", Message: "The keys cannot be read."},
			want{503, plain, `{"detail":"The keys cannot be read."}`},
			want{503, plain, `{"error":{"message":"The keys cannot be read.","type":"server_error","param":null,"code":"no_keys"}}`},
		},
		"violations": {
			Invalid(twoViolations),
			want{422, plain, `{"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required"},` +
				`{"type":"too_short","loc":["body","n"],"msg":"Input should be <b>","ctx":{"ge":1.50}}]}`},
			want{400, plain, `{"error":{"message":"Invalid value for \"messages[0].role\": Field required (and 1 more error).",` +
				`"type":"invalid_request_error","param":"messages[0].role","code":"invalid_request"}}`},
		},
		"three violations": {
			Invalid(append(twoViolations, twoViolations[0])),
			want{422, plain, `{"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required"},` +
				`{"type":"too_short","loc":["body","n"],"msg":"Input should be <b>","ctx":{"ge":1.50}},` +
				`{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required"}]}`},
			want{400, plain, `{"error":{"message":"Invalid value for \"messages[0].role\": Field required (and 2 more errors).",` +
				`"type":"invalid_request_error","param":"messages[0].role","code":"invalid_request"}}`},
		},
		"item of the body": {
			Invalid([]Violation{{Type: "int_type", Loc: []any{"body", 2}, Msg: "Input should be a valid integer"}}),
			want{422, plain, `{"detail":[{"type":"int_type","loc":["body",2],"msg":"Input should be a valid integer"}]}`},
			want{400, plain, `{"error":{"message":"Invalid value for \"[2]\": Input should be a valid integer.","type":"invalid_request_error","param":"[2]","code":"invalid_request"}}`},
		},
		"form of a value": {
			Invalid([]Violation{{Type: "missing", Loc: []any{"body", "shape", Tag("circle"), "radius"}, Msg: "Field required"}}),
			want{422, plain, `{"detail":[{"type":"missing","loc":["body","shape","circle","radius"],"msg":"Field required"}]}`},
			want{400, plain, `{"error":{"message":"Invalid value for \"shape.radius\": Field required.","type":"invalid_request_error","param":"shape.radius","code":"invalid_request"}}`},
		},
		"malformed": {
			Invalid([]Violation{{Type: TypeJSONInvalid, Loc: []any{"body", 7}, Msg: "JSON decode error", Ctx: map[string]any{"error": "Extra data"}}}),
			want{422, plain, `{"detail":[{"type":"json_invalid","loc":["body",7],"msg":"JSON decode error","ctx":{"error":"Extra data"}}]}`},
			want{400, plain, `{"error":{"message":"JSON decode error: Extra data.","type":"invalid_request_error","param":null,"code":"malformed_json"}}`},
		},
		"method": {
			NotAllowed([]string{"GET", "POST"}),
			want{405, []Field{{"Content-Type", contentType}, {"Allow", "GET, POST"}}, `{"detail":"Method Not Allowed"}`},
			want{405, []Field{{"Content-Type", contentType}, {"Allow", "GET, POST"}}, `{"error":{"message":"This path does not have the method of the request. It must be one of GET, POST.","type":"invalid_request_error","param":null,"code":"method_not_allowed"}}`},
		},
		"model": {
			NoModel("gpt\n"),
			want{404, plain, `{"detail":"The model \"gpt\\n\" does not exist. GET /v1/models lists those that do."}`},
			want{404, plain, `{"error":{"message":"The model \"gpt\\n\" does not exist. GET /v1/models lists those that do.","type":"invalid_request_error","param":"model","code":"model_not_found"}}`},
		},
		"too large": {
			TooLarge(4096),
			want{413, plain, `{"detail":"The request body is over the limit of 4096 bytes."}`},
			want{413, plain, `{"error":{"message":"The request body is over the limit of 4096 bytes.","type":"invalid_request_error","param":null,"code":"payload_too_large"}}`},
		},
		"media type": {
			WrongMediaType("application/json"),
			want{415, plain, `{"detail":"The request's content type must be application/json."}`},
			want{415, plain, `{"error":{"message":"The request's content type must be application/json.","type":"invalid_request_error","param":null,"code":"unsupported_media_type"}}`},
		},
		"busy, rounded up": {
			Busy(1500 * time.Millisecond),
			want{429, after("2"), `{"detail":"The service is at its limit. Try again later."}`},
			want{429, after("2"), `{"error":{"message":"The service is at its limit. Try again later.","type":"rate_limit_error","param":null,"code":"overloaded"}}`},
		},
		"draining": {
			GoingAway(time.Second),
			want{503, after("1"), `{"detail":"This replica is shutting down. Try again."}`},
			want{503, after("1"), `{"error":{"message":"This replica is shutting down. Try again.","type":"server_error","param":null,"code":"draining"}}`},
		},
		"no endpoint": {
			NoEndpoint(time.Nanosecond),
			want{503, after("1"), `{"detail":"The upstream is unavailable. Try again later."}`},
			want{503, after("1"), `{"error":{"message":"The upstream is unavailable. Try again later.","type":"server_error","param":null,"code":"upstream_unavailable"}}`},
		},
		"other words": {
			New(Timeout).WithMessage("Too slow"),
			want{504, plain, `{"detail":"Too slow"}`},
			want{504, plain, `{"error":{"message":"Too slow","type":"server_error","param":null,"code":"timeout"}}`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for format, want := range map[ErrorFormat]want{FastAPI: tt.fastapi, OpenAI: tt.openai} {
				if diff := cmp.Diff(Reply{want.status, want.header, []byte(want.body)}, format.Reply(tt.err)); diff != "" {
					t.Errorf("%T: %s", format, diff)
				}
				if got := string(format.Event(tt.err)); got != want.body {
					t.Errorf("%T: event is %s", format, got)
				}
			}
		})
	}
}

func TestFromUpstream(t *testing.T) {
	tests := map[int]struct {
		status int
		code   Code
		after  time.Duration
	}{
		400: {400, UpstreamRejected, 0},
		401: {502, UpstreamError, 0}, // the gateway's credentials, not the client's
		403: {502, UpstreamError, 0},
		404: {502, UpstreamError, 0},
		408: {504, UpstreamTimeout, 0},
		413: {413, UpstreamRejected, 0},
		414: {414, UpstreamRejected, 0},
		431: {431, UpstreamRejected, 0},
		422: {422, UpstreamRejected, 0},
		429: {429, UpstreamOverloaded, time.Minute},
		500: {502, UpstreamError, 0},
		503: {503, UpstreamUnavailable, time.Minute},
		504: {504, UpstreamTimeout, 0},
		302: {502, UpstreamError, 0},
		200: {502, UpstreamError, 0},
	}
	for status, want := range tests {
		got := FromUpstream(status, time.Minute)
		if got.Status != want.status || got.Code != want.code || got.RetryAfter != want.after {
			t.Errorf("%d became %d %s after %v, want %d %s after %v", status, got.Status, got.Code, got.RetryAfter, want.status, want.code, want.after)
		}
	}
}

// TestCauseStaysInside: what led to an error may quote an upstream, so nothing but Unwrap may show it.
func TestCauseStaysInside(t *testing.T) {
	const leak = "Incorrect API key provided: sk-abc"
	shared := New(UpstreamError)
	e := shared.WithCause(errors.Join(io.ErrUnexpectedEOF, errors.New(leak)))
	if !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if errors.Unwrap(shared) != nil {
		t.Error("WithCause changed the error it was called on")
	}
	for _, text := range []string{e.Error(), string(FastAPI.Reply(e).Body), string(OpenAI.Reply(e).Body), string(OpenAI.Event(e))} {
		if strings.Contains(text, leak) {
			t.Errorf("%q shows the cause", text)
		}
	}
}

// TestEveryCode holds each code to a status that answers an error, words for people, and a type that OpenAI's clients know.
func TestEveryCode(t *testing.T) {
	types := []string{openAIInvalid, openAIRateLimit, openAIServer}
	for code := range meanings {
		e := New(code)
		if e.Code != code || e.Status < 400 || e.Status > 599 || e.Message == "" || !strings.Contains(strings.Join(types, " "), meanings[code].openAI) {
			t.Errorf("%s: incomplete: %+v", code, e)
		}
		if server := e.Status >= 500; server != (meanings[code].openAI == openAIServer) {
			t.Errorf("%s: status %d does not go with %s", code, e.Status, meanings[code].openAI)
		}
	}
	if e := New("no such code"); e.Code != Internal || e.Status != 500 {
		t.Errorf("an unknown code gives %+v", e)
	}
}

func TestLongModelNameIsCut(t *testing.T) {
	e := NoModel(strings.Repeat("é", 1000))
	if len(e.Message) > 3*maxShown || !json.Valid(OpenAI.Event(e)) {
		t.Errorf("got %d bytes: %s", len(e.Message), e.Message)
	}
}
