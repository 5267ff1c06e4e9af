package http1

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/llmservice/llmservice/runtime/relay"
)

var lastChunk = []byte("0\r\n\r\n")

// oneLine keeps a field's value within its line.
var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// appendReply appends the head of a whole answer, as net/http writes it.
func (x *transaction) appendReply(b []byte, r *relay.Reply) []byte {
	b = appendStatus(b, r.Status)
	allowed := bodyAllowed(r.Status)
	b = x.appendFields(b, r.Header, r.Status)
	if _, typed := r.Header["Content-Type"]; !typed && allowed && len(r.Body) > 0 {
		b = appendField(b, "Content-Type", http.DetectContentType(r.Body))
	}
	if allowed {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.Body)), 10)
		b = append(b, crlf...)
	}
	return x.appendEnd(b, r.Header)
}

// appendStreamHead appends the head of an answer without a length.
func (x *transaction) appendStreamHead(b []byte, header http.Header) []byte {
	b = appendStatus(b, http.StatusOK)
	b = x.appendFields(b, header, http.StatusOK)
	b = appendField(b, "Transfer-Encoding", "chunked")
	return x.appendEnd(b, header)
}

// appendEnd appends what each head ends with.
func (x *transaction) appendEnd(b []byte, header http.Header) []byte {
	if _, dated := header["Date"]; !dated {
		b = appendField(b, "Date", x.conn.server.dates.now())
	}
	if x.close {
		b = appendField(b, "Connection", "close")
	}
	return append(b, crlf...)
}

// bodyAllowed reports whether an answer of a status may have a body (RFC 9110, section 6.4.1).
func bodyAllowed(status int) bool {
	return status >= http.StatusOK && status != http.StatusNoContent && status != http.StatusNotModified
}

func appendStatus(b []byte, status int) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = append(b, "status code "...)
		b = strconv.AppendInt(b, int64(status), 10)
	}
	return append(b, crlf...)
}

// appendFields appends the fields that are not the engine's own: those that the policy adds to each answer, and its others. One
// that has no valid name is left out, and a value stays in its line.
func (x *transaction) appendFields(b []byte, header http.Header, status int) []byte {
	for name, values := range header {
		switch {
		case x.Echoes(name):
			continue
		case name == "Content-Length", name == "Transfer-Encoding", name == "Connection":
			continue
		case name == "Content-Type" && status == http.StatusNotModified:
			continue // it would deny the type of the page that the client has
		case !httpguts.ValidHeaderFieldName(name):
			continue
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	for _, f := range x.Echo {
		b = appendField(b, f.Name, f.Value)
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	if strings.ContainsAny(value, "\r\n") {
		value = oneLine.Replace(value)
	}
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, strings.Trim(value, " \t\r\n")...)
	return append(b, crlf...)
}

// appendChunk appends bytes as one chunk.
func appendChunk(b, bytes []byte) []byte {
	b = strconv.AppendInt(b, int64(len(bytes)), 16)
	b = append(b, crlf...)
	b = append(b, bytes...)
	return append(b, crlf...)
}

// dates writes the date of an answer (RFC 9110, section 6.6.1), once a second.
type dates struct{ last atomic.Pointer[date] }

type date struct {
	second int64
	text   string
}

func (d *dates) now() string {
	now := time.Now()
	last := d.last.Load()
	if last == nil || last.second != now.Unix() {
		last = &date{now.Unix(), now.UTC().Format(http.TimeFormat)}
		d.last.Store(last)
	}
	return last.text
}
