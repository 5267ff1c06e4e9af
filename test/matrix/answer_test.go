package matrix

import (
	"fmt"
	"slices"
	"strings"
)

// pieces are what a model says, one event each.
var pieces = []string{"One ", "two ", "three ", "four."}

// answer is an upstream's, byte for byte, and where its parts end.
type answer struct {
	bytes    string
	head     int   // where the head ends
	contents []int // where each event with content ends
	chunks   [][2]int
	done     int // where what says that the answer is complete ends
}

// streamed is a chunked event stream with an event in each chunk.
func streamed() answer {
	a := answer{bytes: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"}
	a.head = len(a.bytes)
	add := func(event string) int {
		a.bytes += fmt.Sprintf("%x\r\n", len(event))
		begin := len(a.bytes)
		a.bytes += event
		end := len(a.bytes)
		a.chunks = append(a.chunks, [2]int{begin, end})
		a.bytes += "\r\n"
		return end
	}
	add(event(`{"role":"assistant","content":""}`, "null"))
	for _, piece := range pieces {
		a.contents = append(a.contents, add(event(fmt.Sprintf(`{"content":%q}`, piece), "null")))
	}
	add(event(`{}`, `"stop"`))
	a.done = add("data: [DONE]\n\n")
	a.bytes += "0\r\n\r\n"
	return a
}

func event(delta, reason string) string {
	return fmt.Sprintf(`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`+"\n\n",
		delta, reason)
}

// whole is a completion.
func whole() answer {
	body := fmt.Sprintf(`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},`+
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":4,"total_tokens":5}}`, strings.Join(pieces, ""))
	return sized(body, len(body))
}

// sized is a body under a length that may be wrong.
func sized(body string, length int) answer {
	a := answer{bytes: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", length)}
	a.head = len(a.bytes)
	a.bytes += body
	a.done = len(a.bytes)
	return a
}

// document is an answer to a step of HTTP.
func document() answer {
	body := fmt.Sprintf(`{"text":%q}`, strings.Join(pieces, ""))
	return sized(body, len(body))
}

// said is the content of the events that have ended by an offset.
func (a *answer) said(offset int) string {
	var text string
	for i, end := range a.contents {
		if end <= offset {
			text += pieces[i]
		}
	}
	return text
}

// withinChunk reports whether a chunk has been announced at an offset, and not all of it has come.
func (a *answer) withinChunk(offset int) bool {
	return slices.ContainsFunc(a.chunks, func(c [2]int) bool { return c[0] <= offset && offset < c[1] })
}

// phase names the part of an answer that an offset lies in.
func (a *answer) phase(offset int) string {
	switch {
	case offset < a.head:
		return "before headers"
	case len(a.contents) > 0 && offset < a.contents[0]:
		return "before the first token"
	case len(a.contents) > 0 && offset < a.contents[len(a.contents)-1]:
		return "mid-stream"
	case offset < a.done:
		return "the last frame"
	default:
		return "after it"
	}
}

// offsets are the ends of the parts, and next to them, and some between.
func (a *answer) offsets() []int {
	const step = 61
	seen := map[int]bool{}
	for at := 0; at <= len(a.bytes); at += step {
		seen[at] = true
	}
	for _, end := range append([]int{0, a.head, a.done, len(a.bytes)}, a.contents...) {
		for _, at := range []int{end - 1, end, end + 1} {
			if at >= 0 && at <= len(a.bytes) {
				seen[at] = true
			}
		}
	}
	return sortedKeys(seen)
}
