package http1

import (
	"bytes"
	"slices"
)

const (
	// MaxHead bounds the head of an answer together with the informational ones before it (1xx), in bytes.
	MaxHead = 64 << 10
	// MaxFields bounds the number of header fields of one head.
	MaxFields = 500
)

// Field is a header field of an answer. Both are parts of the buffer that the head was read into.
type Field struct{ Name, Value []byte }

// framing is how the body of an answer is delimited (RFC 9112, section 6.3).
type framing int

const (
	untilClose framing = iota
	unread             // there is no body
	measured
	inChunks
)

// head is an answer's.
type head struct {
	status int
	minor  byte // of the version
	fields []Field

	framing framing
	length  int64  // that was announced; -1 if none was
	said    []byte // the length as it was announced
	last    bool   // the connection is not used after the answer

	chunked, closes, keeps bool // as the fields say
}

// switching is the only informational status that no other answer follows. Nothing was asked for that it could agree to.
const switching = 101

// endOfHead returns how long a head is; 0 if its end has not come. Of b, the first from bytes were looked at before. A line may end
// with a bare LF (RFC 9112, section 2.2).
func endOfHead(b []byte, from int) int {
	for at := max(from-2, 0); ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		rest := b[at:]
		switch {
		case len(rest) > 0 && rest[0] == '\n':
			return at + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return at + 2
		}
	}
}

// parse reads a whole head, which answers a request of the method.
func (h *head) parse(b []byte, method string) error {
	line, rest := cutLine(b)
	if !h.statusLine(line) {
		return ErrHead
	}
	h.fields = h.fields[:0]
	for {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			return h.frame(method)
		}
		f, ok := fieldOf(line)
		if !ok {
			return ErrHead
		}
		if len(h.fields) == MaxFields {
			return ErrTooLong
		}
		h.fields = append(h.fields, f)
	}
}

// cutLine returns the first line without its end, and the rest.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'}), rest
}

var version = []byte("HTTP/1.")

// statusLine reads it (RFC 9112, section 4). An answer of a later minor version is read as one of HTTP/1.1. The reason is not read.
func (h *head) statusLine(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, version)
	if !ok || len(rest) < len("1 200") || !digit(rest[0]) || rest[1] != ' ' {
		return false
	}
	h.minor, rest = rest[0]-'0', rest[2:]
	if rest[0] < '1' || rest[0] > '9' || !digit(rest[1]) || !digit(rest[2]) || len(rest) > 3 && rest[3] != ' ' {
		return false
	}
	h.status = int(rest[0]-'0')*100 + int(rest[1]-'0')*10 + int(rest[2]-'0')
	return valid(rest)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// informational reports whether another head follows.
func (h *head) informational() bool { return h.status/100 == 1 && h.status != switching }

// frame decides where the body ends, and whether the connection can be used after it.
func (h *head) frame(method string) error {
	h.framing, h.length, h.chunked, h.closes, h.keeps = untilClose, -1, false, false, false
	for _, f := range h.fields {
		if err := h.take(f); err != nil {
			return err
		}
	}
	// A length that contradicts the chunks makes what follows them doubtful (RFC 9112, section 6.3).
	h.last = h.closes || h.minor == 0 && !h.keeps || h.chunked && h.length >= 0 || h.status == switching
	switch {
	case h.chunked && slices.ContainsFunc(h.fields, forbids):
		return ErrHead
	case method == "HEAD", h.status/100 == 1, h.status == 204, h.status == 304:
		h.framing = unread
	case h.chunked:
		h.framing, h.length = inChunks, -1
	case h.length >= 0:
		h.framing = measured
	default:
		h.last = true
	}
	return nil
}

// take reads a field that has to do with the framing.
func (h *head) take(f Field) error {
	switch {
	case named(f.Name, "content-length"):
		return h.measure(f.Value)
	case named(f.Name, "transfer-encoding"):
		return h.encoding(f.Value)
	case named(f.Name, "connection"):
		h.closes = h.closes || lists(f.Value, "close")
		h.keeps = h.keeps || lists(f.Value, "keep-alive")
	}
	return nil
}

// measure reads a Content-Length. Ones that look alike count as one (RFC 9110, section 8.6).
func (h *head) measure(value []byte) error {
	const longest = 18 // digits, with which each number fits
	if len(value) == 0 || len(value) > longest {
		return ErrHead
	}
	length := int64(0)
	for _, c := range value {
		if !digit(c) {
			return ErrHead
		}
		length = length*10 + int64(c-'0')
	}
	if h.length >= 0 && !bytes.Equal(h.said, value) {
		return ErrHead
	}
	h.length, h.said = length, value
	return nil
}

// encoding accepts the one coding that is needed. HTTP/1.0 has none (RFC 9112, section 6.1).
func (h *head) encoding(value []byte) error {
	if h.chunked || h.minor == 0 || !named(value, "chunked") {
		return ErrHead
	}
	h.chunked = true
	return nil
}

// forbids reports whether a field announces trailers that would change the framing (RFC 9110, section 6.5.1).
func forbids(f Field) bool {
	return named(f.Name, "trailer") &&
		(lists(f.Value, "transfer-encoding") || lists(f.Value, "content-length") || lists(f.Value, "trailer"))
}
