//go:build hostile && linux

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// canaryField is in the head of each request.
const canaryField = "X-Canary: " + canaryPrompt + "\r\n"

// post is a request with a JSON body.
func post(path, body string) []byte {
	return request(path, "Content-Type: application/json\r\n", body)
}

// chat is a request of /v1.
func chat(model, more string) []byte {
	return post("/v1/chat/completions", `{"model": "`+model+`", "messages": [{"role": "user", "content": "go `+canaryPrompt+`"}]`+more+`}`)
}

// get is a request without a body.
func get(path, headers string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n" + canaryField + headers + "\r\n")
}

func request(path, headers, body string) []byte {
	return []byte("POST " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n" + canaryField + headers +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// outcome is what came of a request.
type outcome struct {
	text string
	// wrong answers are not what a client should get; refused is none, for want of a connection.
	wrong, refused bool
	took           time.Duration
}

// ask sends one request on a connection of its own, and judges the answer. Writing and reading go on at once, since a
// gateway may refuse a body before all of it has come.
func (s *assault) ask(ctx context.Context, message []byte) outcome {
	begun := time.Now()
	conn, err := net.DialTimeout("tcp", s.address, s.patience())
	if err != nil {
		return unconnected(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(begun.Add(s.patience()))
	if s.unanswered {
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = conn.Write(message) // an answer, or none, tells more
	}()
	o := s.judge(bufio.NewReader(conn), message)
	o.took = time.Since(begun)
	_ = conn.Close()
	<-written
	if s.unanswered && ctx.Err() != nil {
		return outcome{text: "left"}
	}
	return o
}

func unconnected(err error) outcome {
	return outcome{text: "no connection: " + reason(err), wrong: true, refused: true}
}

// reason is an error without its addresses, which would make each one different.
func reason(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[i+len(": "):]
	}
	return text
}

// judge reads an answer. A clear one is whole, has a status that says what happened, and a body that says it again.
func (s *assault) judge(in *bufio.Reader, message []byte) outcome {
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return outcome{text: "no answer: " + reason(err), wrong: true}
	}
	defer answer.Body.Close()
	status := strconv.Itoa(answer.StatusCode)
	body, size, err := ends(answer.Body)
	switch {
	case err != nil:
		return outcome{text: status + ", cut: " + reason(err), wrong: true}
	case !s.acceptable(answer.StatusCode):
		return outcome{text: fmt.Sprintf("%s %.300s", status, body), wrong: true}
	case answer.StatusCode == http.StatusTooManyRequests && answer.Header.Get("Retry-After") == "":
		return outcome{text: status + " without Retry-After", wrong: true}
	case answer.StatusCode < http.StatusBadRequest:
		if s.streamed && !ended(body) {
			return outcome{text: status + ", a stream that does not end", wrong: true}
		}
		return outcome{text: status}
	case s.head && answer.StatusCode < http.StatusInternalServerError:
		return outcome{text: status}
	case size > keep || !explains(message, body):
		return outcome{text: fmt.Sprintf("%s with %d bytes that explain nothing: %.100s", status, size, body), wrong: true}
	}
	return outcome{text: status}
}

func (s *assault) acceptable(status int) bool {
	switch {
	case slices.Contains(s.accept, status):
		return true
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return true
	default:
		return status >= http.StatusBadRequest && status < http.StatusInternalServerError
	}
}

// keep bounds an error's answer: a client would not know what to do with more.
const keep = 1 << 20

// ends reads a body to its end and returns it, or of a long one the last bytes.
func ends(body io.Reader) (last []byte, size int64, err error) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := body.Read(buffer)
		size += int64(n)
		last = append(last, buffer[:n]...)
		if len(last) > 2*keep {
			last = append(last[:0], last[len(last)-keep:]...)
		}
		if err == io.EOF {
			return last, size, nil
		}
		if err != nil {
			return last, size, err
		}
	}
}

// ended reports whether a stream has come to one of its ends.
func ended(stream []byte) bool {
	tail := stream[max(0, len(stream)-4096):]
	for _, end := range []string{"data: [DONE]", "event: done", "event: error", `data: {"error"`} {
		if bytes.Contains(tail, []byte(end)) {
			return true
		}
	}
	return false
}

// explains reports whether a body is an error in the form of the endpoint that was asked: OpenAI's on /v1, else FastAPI's.
func explains(asked, body []byte) bool {
	var said struct {
		Detail json.RawMessage `json:"detail"`
		Error  struct {
			Message string `json:"message"`
			Type    string `json:"type"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return false
	}
	if _, target, _ := bytes.Cut(asked, []byte(" ")); bytes.HasPrefix(target, []byte("/v1/")) {
		return said.Error.Message != "" && said.Error.Type != ""
	}
	return len(said.Detail) > len(`""`)
}
