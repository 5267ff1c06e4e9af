package http1

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/llmservice/llmservice/runtime/pieces"
)

// Request is one to send.
type Request struct {
	Method string
	// Host is the value of the field of that name, and Target the path with its query (RFC 9112, section 3.2.1). Both are ASCII
	// and neither has spaces.
	Host, Target string
	// Header has further fields, those of the framing excepted: they follow from the body. One without values is left out.
	Header http.Header
	Body   pieces.Text
	// Close makes it the connection's last request.
	Close bool
}

// framingFields are written by this package alone; requests that need others are not for it.
var framingFields = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true, "Connection": true,
}

// Plain reports whether this package can send the request as it is meant.
func (r *Request) Plain() bool {
	if !token(r.Method) || r.Method == http.MethodConnect || !visible(r.Host) || !visible(r.Target) {
		return false
	}
	for _, name := range []string{"Transfer-Encoding", "Trailer", "Expect", "Upgrade", "Te"} {
		if _, has := r.Header[name]; has {
			return false
		}
	}
	return true
}

// visible reports whether s can stand in a request's first line, or be a host.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// appendHead appends the head of the request.
func (r *Request) appendHead(b []byte) ([]byte, error) {
	b = append(append(append(b, r.Method...), ' '), r.Target...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), r.Host...)
	b = append(b, "\r\n"...)
	for name, values := range r.Header {
		if framingFields[name] {
			continue
		}
		for _, value := range values {
			if !token(name) || !valid(value) {
				return b, ErrRequest
			}
			b = append(append(b, name...), ": "...)
			b = append(append(b, strings.Trim(value, " \t")...), "\r\n"...)
		}
	}
	if size := r.Body.Len(); size > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		b = strconv.AppendInt(append(b, "Content-Length: "...), int64(size), 10)
		b = append(b, "\r\n"...)
	}
	if r.closes() {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// closes reports whether the request is its connection's last.
func (r *Request) closes() bool {
	for _, value := range r.Header["Connection"] {
		for option := range strings.SplitSeq(value, ",") {
			if named(strings.Trim(option, " \t"), "close") {
				return true
			}
		}
	}
	return r.Close
}
