package wire

import "bytes"

// AppendEvent appends one event to dst and returns the extended slice. An
// empty event leaves the type out, which stands for "message". Data is split
// into a data field per line at CR, LF or CRLF, so a reader gets it back with
// each of them as LF. A type cannot hold line ends: they become spaces.
func AppendEvent(dst []byte, event string, data []byte) []byte {
	if event != "" {
		dst = append(dst, "event: "...)
		dst = appendOneLine(dst, event)
		dst = append(dst, '\n')
	}
	dst = appendLines(dst, "data: ", data)
	return append(dst, '\n')
}

// AppendComment appends text to dst as a frame of comments, one per line,
// which readers ignore, and returns the extended slice.
func AppendComment(dst []byte, text string) []byte {
	dst = appendLines(dst, ": ", []byte(text))
	return append(dst, '\n')
}

func appendOneLine(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

func appendLines(dst []byte, prefix string, text []byte) []byte {
	for {
		end := bytes.IndexAny(text, "\r\n")
		if end < 0 {
			dst = append(append(dst, prefix...), text...)
			return append(dst, '\n')
		}
		dst = append(append(dst, prefix...), text[:end]...)
		dst = append(dst, '\n')
		if bytes.HasPrefix(text[end:], []byte("\r\n")) {
			end++
		}
		text = text[end+1:]
	}
}
