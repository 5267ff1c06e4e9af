package matrix

import (
	"fmt"
	"math"
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
	done     int // where what says that the answer is complete ends; never, if nothing does
}

const never = math.MaxInt / 2

// frame is an event of a stream.
type frame struct {
	text       string
	says, ends bool // it has content; it says that the answer is complete
}

const (
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	wholeHead  = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
)

// chunked is an event stream with an event in each chunk. The size of one chunk, if it is not -1, is wrong by so much.
func chunked(frames []frame, wrong, by int) answer {
	a := answer{bytes: streamHead + "Transfer-Encoding: chunked\r\n\r\n", done: never}
	a.head = len(a.bytes)
	for i, f := range frames {
		size := len(f.text)
		if i == wrong {
			size += by
		}
		a.bytes += fmt.Sprintf("%x\r\n", size)
		begin := len(a.bytes)
		a.add(f)
		a.chunks = append(a.chunks, [2]int{begin, len(a.bytes)})
		a.bytes += "\r\n"
	}
	a.bytes += "0\r\n\r\n"
	if wrong >= 0 && wrong < len(frames)-1 {
		a.done = never
	}
	return a
}

// measured is an event stream under a length that may be wrong.
func measured(frames []frame, off int) answer {
	size := 0
	for _, f := range frames {
		size += len(f.text)
	}
	a := answer{bytes: fmt.Sprintf("%sContent-Length: %d\r\n\r\n", streamHead, size+off), done: never}
	a.head = len(a.bytes)
	for _, f := range frames {
		a.add(f)
	}
	if off < 0 {
		a.done = never // its last bytes are beyond the length
	}
	return a
}

// endless is an event stream that goes on until its connection is closed.
func endless(frames []frame) answer {
	a := answer{bytes: streamHead + "Connection: close\r\n\r\n", done: never}
	a.head = len(a.bytes)
	for _, f := range frames {
		a.add(f)
	}
	return a
}

func (a *answer) add(f frame) {
	a.bytes += f.text
	if f.says {
		a.contents = append(a.contents, len(a.bytes))
	}
	if f.ends {
		a.done = len(a.bytes)
	}
}

// sized is a whole answer under a length that may be wrong.
func sized(body string, length int) answer {
	a := answer{bytes: fmt.Sprintf("%sContent-Length: %d\r\n\r\n", wholeHead, length)}
	a.head = len(a.bytes)
	a.bytes += body
	a.done = len(a.bytes)
	return a
}

// unsized is a whole answer that goes on until its connection is closed. It is not complete before.
func unsized(body string) answer {
	a := answer{bytes: wholeHead + "Connection: close\r\n\r\n", done: never}
	a.head = len(a.bytes)
	a.bytes += body
	return a
}

// cut is a whole answer that ends as HTTP has it, and not as JSON has it.
func cut(body string, size int) answer {
	a := sized(body[:size], size)
	a.done = never
	return a
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

// phases are the parts of an answer that offsets lie in.
var phases = []string{"before headers", "before the first token", "mid-stream", "the last frame", "after it"}

// phase names the part that an offset lies in.
func (a *answer) phase(offset int) string {
	switch {
	case offset < a.head:
		return phases[0]
	case len(a.contents) > 0 && offset < a.contents[0]:
		return phases[1]
	case len(a.contents) > 0 && offset < a.contents[len(a.contents)-1]:
		return phases[2]
	case offset < a.done:
		return phases[3]
	default:
		return phases[4]
	}
}

// offsets are the ends of the parts, and next to them, and some between.
func (a *answer) offsets() []int {
	const step = 97
	seen := map[int]bool{}
	for at := 0; at <= len(a.bytes); at += step {
		seen[at] = true
	}
	for _, end := range a.ends() {
		for _, at := range []int{end - 1, end, end + 1} {
			if at >= 0 && at <= len(a.bytes) {
				seen[at] = true
			}
		}
	}
	return sortedKeys(seen)
}

func (a *answer) ends() []int {
	return append([]int{0, a.head, min(a.done, len(a.bytes)), len(a.bytes)}, a.contents...)
}

// api is how an upstream answers at one of its endpoints.
type api struct {
	before  []string // events without content
	content func(piece, pad string) string
	end     []string // the last one says that the answer is complete
	body    func(pad string) string
}

func (a *api) frames(pad string) []frame {
	var all []frame
	for _, text := range a.before {
		all = append(all, frame{text: text})
	}
	for _, piece := range pieces {
		all = append(all, frame{text: a.content(piece, pad), says: true})
	}
	for i, text := range a.end {
		all = append(all, frame{text: text, ends: i == len(a.end)-1})
	}
	return all
}

func (a *api) streamed() answer { return chunked(a.frames(""), -1, 0) }

func (a *api) whole() answer {
	body := a.body("")
	return sized(body, len(body))
}

const doneMark = "data: [DONE]\n\n"

// all is what is said.
var all = strings.Join(pieces, "")

func chunk(choice, pad string) string {
	return fmt.Sprintf(`data: {"id":"c","object":"chunk","created":1,"model":"m","pad":"%s","choices":[{"index":0,%s}]}`+"\n\n", pad, choice)
}

const counted = `"usage":{"prompt_tokens":1,"completion_tokens":4,"total_tokens":5}`

var chatAPI = &api{
	before: []string{chunk(`"delta":{"role":"assistant","content":""},"finish_reason":null`, "")},
	content: func(piece, pad string) string {
		return chunk(fmt.Sprintf(`"delta":{"content":%q},"finish_reason":null`, piece), pad)
	},
	end: []string{chunk(`"delta":{},"finish_reason":"stop"`, ""), doneMark},
	body: func(pad string) string {
		return fmt.Sprintf(`{"id":"c","object":"chat.completion","created":1,"model":"m","pad":"%s",`+
			`"choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],%s}`, pad, all, counted)
	},
}

var completionsAPI = &api{
	content: func(piece, pad string) string {
		return chunk(fmt.Sprintf(`"text":%q,"finish_reason":null`, piece), pad)
	},
	end: []string{chunk(`"text":"","finish_reason":"stop"`, ""), doneMark},
	body: func(pad string) string {
		return fmt.Sprintf(`{"id":"c","object":"text_completion","created":1,"model":"m","pad":"%s",`+
			`"choices":[{"index":0,"text":%q,"finish_reason":"stop"}],%s}`, pad, all, counted)
	},
}

func happens(name, data string) string {
	return fmt.Sprintf("event: %s\ndata: {\"type\":%q,%s}\n\n", name, name, data)
}

func response(status, output, pad string) string {
	return fmt.Sprintf(`{"id":"resp_1","object":"response","created_at":1,"status":%q,"error":null,"model":"m","pad":"%s","output":[%s],`+
		`"usage":{"input_tokens":1,"output_tokens":4,"total_tokens":5}}`, status, pad, output)
}

var (
	spoken = fmt.Sprintf(`{"type":"message","id":"msg_1","status":"completed","role":"assistant",`+
		`"content":[{"type":"output_text","text":%q,"annotations":[]}]}`, all)
	responsesAPI = &api{
		before: []string{happens("response.created", `"sequence_number":0,"response":`+response("in_progress", "", ""))},
		content: func(piece, pad string) string {
			return happens("response.output_text.delta", fmt.Sprintf(`"sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,`+
				`"delta":%q,"pad":"%s"`, piece, pad))
		},
		end:  []string{happens("response.completed", `"sequence_number":2,"response":`+response("completed", spoken, ""))},
		body: func(pad string) string { return response("completed", spoken, pad) },
	}
)

var embeddingsAPI = &api{body: func(pad string) string {
	return fmt.Sprintf(`{"object":"list","model":"m","pad":"%s","data":[{"object":"embedding","index":0,"embedding":[0.25,0.5]}],`+
		`"usage":{"prompt_tokens":1,"total_tokens":1}}`, pad)
}}

// toolAPI is a plain HTTP service.
var toolAPI = &api{body: func(pad string) string { return fmt.Sprintf(`{"text":%q,"pad":"%s"}`, all, pad) }}
