package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrorFormat writes an Error the way one protocol's clients expect it.
type ErrorFormat interface {
	// Reply is the whole HTTP answer, for errors that come before the first byte of one.
	Reply(e *Error) Reply
	// Event is the JSON of a stream's error event, for errors that come later; it has no line breaks.
	Event(e *Error) []byte
}

// Reply is an HTTP answer, whole.
type Reply struct {
	Status int
	Header []Field // Content-Type first, then Retry-After and Allow where they apply
	Body   []byte
}

// Field is one line of a header.
type Field struct{ Name, Value string }

func reply(e *Error, status int, body any) Reply {
	header := []Field{{"Content-Type", "application/json"}}
	if s := seconds(e.RetryAfter); s != "" {
		header = append(header, Field{"Retry-After", s})
	}
	if len(e.Allow) > 0 {
		header = append(header, Field{"Allow", strings.Join(e.Allow, ", ")})
	}
	return Reply{Status: status, Header: header, Body: encode(body)}
}

// seconds gives RFC 9110's delay-seconds, rounded up so that clients do not come back too early; "" for none.
func seconds(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return strconv.FormatInt(int64((d-1)/time.Second)+1, 10)
}

// encode gives compact JSON in which < and & stay readable. What it gets are this package's own types and the plain
// values of Violation.Ctx, which all encode; anything else is a programming error.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("problem: encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
