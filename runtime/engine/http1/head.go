package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
)

const (
	// maxHead is the longest head that is read here, in bytes. A longer one is net/http's to refuse.
	maxHead = nethttp.MaxHeaderBytes
	// maxFields is how many fields a head may have here.
	maxFields = 128
	// maxDigits is the longest length of a body, in digits: more may not fit into 63 bits.
	maxDigits = 18
)

var (
	crlf    = []byte("\r\n")
	headEnd = []byte("\r\n\r\n")
)

// request is a head that was read here.
type request struct {
	relay.Head

	chunked bool
	close   bool // nothing follows on the connection: the client asks for that, or the answer does
}

// parse reads a head with the empty line after it. It knows what clients usually send, and reads that as net/http does. It
// reports false for everything else, which is left to net/http: what is rare, and all that has to be refused.
func (r *request) parse(text string) bool {
	line, fields, _ := strings.Cut(text, "\r\n")
	method, target, ok := requestLine(line)
	if !ok {
		return false
	}
	r.Method = method
	if !r.setTarget(target) || !r.setFields(fields) || r.Host == "" {
		return false
	}
	if r.chunked {
		if _, both := r.Header["Content-Length"]; both {
			return false
		}
		r.ContentLength = -1
	}
	return true
}

// requestLine splits the first line of a head (RFC 9112, section 3).
func requestLine(line string) (method, target string, ok bool) {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	return method, target, version == "HTTP/1.1" && strings.HasPrefix(target, "/") && known(method)
}

// known reports whether a method has no rules of its own.
func known(method string) bool {
	return method != http.MethodHead && method != http.MethodConnect && httpguts.ValidHeaderFieldName(method)
}

func (r *request) setTarget(target string) bool {
	path, query, _ := strings.Cut(target, "?")
	if plain(path) && printable(query) {
		r.Path, r.EscapedPath, r.RawQuery = path, path, query
		return true
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return false
	}
	r.Path, r.EscapedPath, r.RawQuery = u.Path, u.EscapedPath(), u.RawQuery
	return true
}

// plain reports whether a path is the same with and without escapes.
func plain(path string) bool {
	for _, c := range []byte(path) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '/' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

func printable(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// setFields reads all fields, up to the empty line.
func (r *request) setFields(text string) bool {
	n := strings.Count(text, "\r\n") - 1
	if n > maxFields {
		return false
	}
	r.Header = make(http.Header, n)
	values := make([]string, n) // in one piece
	for i := range n {
		line, rest, _ := strings.Cut(text, "\r\n")
		text = rest
		name, value, ok := field(line)
		if !ok {
			return false
		}
		keep, ok := r.note(name, value)
		if !ok {
			return false
		}
		if !keep {
			continue
		}
		if others, again := r.Header[name]; again {
			r.Header[name] = append(others, value)
			continue
		}
		values[i] = value
		r.Header[name] = values[i : i+1 : i+1]
	}
	return text == "\r\n"
}

// field splits a line. A line that continues the one before it, which is obsolete (RFC 9112, section 5.2), is none.
func field(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return "", "", false
	}
	return textproto.CanonicalMIMEHeaderKey(name), value, true
}

// note notes what a field means to the connection. It reports whether policy is told of the field, and whether it is
// known here.
func (r *request) note(name, value string) (keep, ok bool) {
	switch name {
	case "Host":
		ok = r.Host == "" && value != "" && httpguts.ValidHostHeader(value)
		r.Host = value
		return false, ok
	case "Content-Length":
		return true, r.setLength(value)
	case "Transfer-Encoding":
		ok = !r.chunked && strings.EqualFold(value, "chunked")
		r.chunked = true
		return false, ok
	case "Connection":
		closes := strings.EqualFold(value, "close")
		r.close = r.close || closes
		return true, closes || strings.EqualFold(value, "keep-alive")
	case "Expect", "Trailer", "Upgrade", "Pragma":
		return false, false
	}
	return true, true
}

func (r *request) setLength(value string) bool {
	if _, again := r.Header["Content-Length"]; again || value == "" || len(value) > maxDigits {
		return false
	}
	for _, c := range []byte(value) {
		if c < '0' || c > '9' {
			return false
		}
	}
	length, err := strconv.ParseInt(value, 10, 64)
	r.ContentLength = length
	return err == nil
}

// promising reports whether what has come of a head may become one that parse reads. What net/http would refuse
// by now does not have to wait for its end.
func promising(in []byte) bool {
	if len(in) >= maxHead || bytes.Count(in, crlf[1:]) != bytes.Count(in, crlf) {
		return false
	}
	line, _, whole := bytes.Cut(in, crlf)
	if !whole {
		return true
	}
	_, _, ok := requestLine(string(line))
	return ok
}
