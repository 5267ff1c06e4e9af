package requestlog

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
)

// The header fields by which a request is known on both sides of the gateway.
const (
	// IDHeader is that of the request's ID: OpenAI's SDKs read it from answers, too.
	IDHeader = "X-Request-Id"
	// The fields of W3C Trace Context.
	traceParent = "Traceparent"
	traceState  = "Tracestate"
)

const (
	// maxID bounds an ID that a client gives, in bytes.
	maxID = 128
	// parentLength is that of a traceparent of version 00, in bytes (W3C Trace Context, section 3.2.2); those of later versions may be
	// longer, and are bounded here.
	parentLength, maxParent = 55, 128
	// maxState bounds a tracestate, in bytes (section 3.3.1.5: vendors should propagate at least 512).
	maxState = 512
)

// Identity is what a request is known by.
type Identity struct {
	// ID is the client's, or one that was made for it.
	ID string
	// TraceID is that of the client's trace; empty without one.
	TraceID string

	parent, state string
	sent          [1]string // the ID, as it is sent on
}

// IdentityOf takes what the client gives, if it is well-formed, and otherwise makes an ID. A trace is only passed on: the gateway
// has no spans of its own.
func IdentityOf(h http.Header) Identity {
	var i Identity
	if i.ID = single(h, IDHeader); !isID(i.ID) {
		i.ID = newID()
	}
	i.sent[0] = i.ID
	parent := single(h, traceParent)
	if !isParent(parent) {
		return i
	}
	i.parent, i.TraceID = parent, parent[3:35]
	if state := strings.Join(h[traceState], ","); len(state) <= maxState && printable(state) {
		i.state = state
	}
	return i
}

// Send adds what an upstream is to know of the request to the header of a call, unless the header has it already.
func (i *Identity) Send(h http.Header) {
	if i == nil {
		return
	}
	if _, has := h[IDHeader]; !has {
		h[IDHeader] = i.sent[:]
	}
	if _, own := h[traceParent]; own {
		return // its state belongs to it
	}
	absent(h, traceParent, i.parent)
	absent(h, traceState, i.state)
}

func absent(h http.Header, name, value string) {
	if _, has := h[name]; !has && value != "" {
		h[name] = []string{value}
	}
}

// single is a field's value; empty if there is none, or several.
func single(h http.Header, name string) string {
	if values := h[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

func newID() string {
	var b [16]byte
	var text [2 * len(b)]byte
	_, _ = rand.Read(b[:]) // it never fails
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// isID reports whether a client's ID may stand in logs and in headers as it is.
func isID(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-_.:/+=@~", r)
	})
}

// isParent reports whether a text is a traceparent (W3C Trace Context, section 3.2): version, trace, parent and flags. One of a
// later version may go on after a dash.
func isParent(p string) bool {
	if len(p) < parentLength || len(p) > maxParent || p[2] != '-' || p[35] != '-' || p[52] != '-' {
		return false
	}
	version, trace, parent, flags := p[:2], p[3:35], p[36:52], p[53:55]
	if !isHex(version) || version == "ff" || !isHex(trace) || !isHex(parent) || !isHex(flags) || zero(trace) || zero(parent) {
		return false
	}
	if rest := p[parentLength:]; rest != "" {
		return version != "00" && rest[0] == '-' && printable(rest)
	}
	return true
}

func isHex(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

func zero(s string) bool { return strings.Trim(s, "0") == "" }

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
