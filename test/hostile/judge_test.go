//go:build hostile && linux

package hostile

import (
	"bufio"
	"strings"
	"testing"
	"time"
)

// TestTheJudgeIsStrict holds the suite's own judgement to answers that a client could do nothing with.
func TestTheJudgeIsStrict(t *testing.T) {
	typed, models := post("/any", "{}"), chat("small", "")
	const detail, failed = `{"detail":"Not Found"}`, `{"error":{"message":"m","type":"server_error"}}`
	for name, c := range map[string]struct {
		attack attack
		asked  []byte
		answer string
		wrong  bool
	}{
		"refused":                    {attack{}, typed, whole404(detail), false},
		"refused on /v1":             {attack{}, models, whole404(failed), false},
		"FastAPI's form on /v1":      {attack{}, models, whole404(detail), true},
		"OpenAI's form elsewhere":    {attack{}, typed, whole404(failed), true},
		"refused without a reason":   {attack{}, typed, whole404("no"), true},
		"refused with nothing":       {attack{}, typed, whole404(""), true},
		"a head, refused without":    {attack{head: true}, typed, whole404("no"), false},
		"nothing":                    {attack{}, typed, "", true},
		"cut":                        {attack{}, typed, "HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n{}", true},
		"accepted":                   {attack{}, typed, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true},
		"valid":                      {attack{accept: valid}, typed, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false},
		"a fault":                    {attack{}, typed, "HTTP/1.1 500 X\r\nContent-Length: 22\r\n\r\n" + detail, true},
		"busy":                       {attack{}, typed, "HTTP/1.1 429 X\r\nContent-Length: 22\r\nRetry-After: 1\r\n\r\n" + detail, false},
		"busy for an unknown time":   {attack{}, typed, "HTTP/1.1 429 X\r\nContent-Length: 22\r\n\r\n" + detail, true},
		"a stream that ends":         {attack{accept: valid, streamed: true}, typed, streamOf("data: x\n\ndata: [DONE]\n\n"), false},
		"a stream that fails":        {attack{accept: valid, streamed: true}, typed, streamOf("event: error\ndata: {}\n\n"), false},
		"a stream that just stops":   {attack{accept: valid, streamed: true}, typed, streamOf("data: x\n\n"), true},
		"a stream that is truncated": {attack{accept: valid, streamed: true}, typed, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nda", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &assault{attack: &c.attack}
			if got := s.judge(bufio.NewReader(strings.NewReader(c.answer)), c.asked); got.wrong != c.wrong {
				t.Errorf("%q: wrong is %t, want %t", got.text, got.wrong, c.wrong)
			}
		})
	}
}

func whole404(body string) string {
	return "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n" + body
}

func streamOf(events string) string { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + events }

// TestSilenceIsAGap has a stream that said something, and then nothing until the window ended.
func TestSilenceIsAGap(t *testing.T) {
	begin := time.Unix(1, 0)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	c := &crowd{streams: []*stream{{gaps: []gap{{at(-5), 3}, {at(20), 20}, {at(40), 21}, {at(1000), 960}}}}}
	got := c.gapsIn(begin, at(500))
	if want := []time.Duration{20, 21, 460 * time.Millisecond}; len(got) != 3 || got[0] != want[0] || got[2] != want[2] {
		t.Errorf("gaps %v, want %v", got, want)
	}
}
