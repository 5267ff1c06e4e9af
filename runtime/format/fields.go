package format

import (
	"bytes"
	"strconv"
	"time"
)

// Fields are those that each event of a stream has in addition to its name and its data (WHATWG HTML, section 9.2.6). The zero
// value adds nothing.
type Fields struct {
	// IDs counts the events, from 1.
	IDs bool
	// Retry is how long a client shall wait before it connects again. The next event has it, in milliseconds, and no other.
	Retry time.Duration

	last int64
}

var eventEnd = []byte("\n\n")

// Add appends whole events with their fields, in the order in which FastAPI writes them: id and retry after the data. It also
// returns the fields of the events that follow.
func (f Fields) Add(dst, events []byte) ([]byte, Fields) {
	for len(events) > 0 {
		event, rest, _ := bytes.Cut(events, eventEnd)
		dst = append(append(dst, event...), '\n')
		if f.IDs {
			f.last++
			dst = append(strconv.AppendInt(append(dst, "id: "...), f.last, 10), '\n')
		}
		if f.Retry > 0 {
			dst = append(strconv.AppendInt(append(dst, "retry: "...), f.Retry.Milliseconds(), 10), '\n')
			f.Retry = 0
		}
		dst, events = append(dst, '\n'), rest
	}
	return dst, f
}
