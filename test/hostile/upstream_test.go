//go:build hostile && linux

package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// upstream is what no gateway should have to trust: a model that does what its name says, and services of large answers.
// Every answer is bounded in bytes or by time, and ends when the gateway has had enough.
func upstream() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		asked := ask{}
		_ = json.NewDecoder(r.Body).Decode(&asked)
		_, _ = io.Copy(io.Discard, r.Body)
		if act, found := models[asked.Model]; found {
			act(w, r, asked)
			return
		}
		http.Error(w, "no such model: "+r.Header.Get("Authorization")+" "+canaryPrompt, http.StatusNotFound)
	})
	mux.HandleFunc("/v1/embeddings", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		whole(w, vectors())
	})
	for path, body := range services {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { whole(w, body()) })
	}
	mux.HandleFunc("/dripping", func(w http.ResponseWriter, r *http.Request) { drip(w, r, "application/json", "[", " ") })
	repeats := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // what nobody else may hear of
		w.Header().Set("X-Heard", r.Header.Get("Authorization")+" "+canaryPrompt)
		mux.ServeHTTP(w, r)
	})
	return &http.Server{Handler: repeats, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: enough}
}

// enough bounds an answer that has no end.
const enough = 8 * time.Second

// ask is what a model reads of its request.
type ask struct {
	Model  string `json:"model"`
	Stream bool   `json:"stream"`
}

const mebi = 1 << 20

// services are the answers of plain HTTP services.
var services = map[string]func() []byte{
	"/small":         func() []byte { return []byte(`{"found": true}`) },
	"/large-text":    sync.OnceValue(func() []byte { return []byte(`"` + strings.Repeat("x", 15*mebi) + `"`) }),
	"/large-objects": sync.OnceValue(func() []byte { return list("{}", 5*mebi) }),
	"/large-keys":    sync.OnceValue(func() []byte { return keys(1_000_000, "1") }),
	"/deep":          sync.OnceValue(func() []byte { return []byte(strings.Repeat("[", 7*mebi) + strings.Repeat("]", 7*mebi)) }),
}

var vectors = sync.OnceValue(func() []byte {
	return []byte(`{"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": ` +
		string(list("0.12345678", 1_000_000)) + `}], "usage": {"prompt_tokens": 1, "total_tokens": 1}}`)
})

func whole(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// models are the ways in which a model's answer may do harm.
var models = map[string]func(w http.ResponseWriter, r *http.Request, asked ask){
	"small": func(w http.ResponseWriter, _ *http.Request, asked ask) { answer(w, asked, `"fine"`) },
	// 16 MiB less the rest of the event.
	"giant-event": func(w http.ResponseWriter, _ *http.Request, asked ask) { answer(w, asked, giant()) },
	"deep-event":  func(w http.ResponseWriter, _ *http.Request, asked ask) { answer(w, asked, nested()) },
	"large-whole": func(w http.ResponseWriter, _ *http.Request, asked ask) { answer(w, asked, encoded()) },
	"endless-line": func(w http.ResponseWriter, r *http.Request, asked ask) {
		endless(w, r, asked, "data: ", bytes.Repeat([]byte("x"), 64<<10))
	},
	"endless-comments": func(w http.ResponseWriter, r *http.Request, asked ask) {
		endless(w, r, asked, "", bytes.Repeat([]byte(": nothing\n\nretry: 1\nid: 2\n\n"), 2048))
	},
	"endless-head": func(w http.ResponseWriter, _ *http.Request, _ ask) {
		raw(w, "HTTP/1.1 200 OK\r\n", strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 64))
	},
	"single-bytes": func(w http.ResponseWriter, r *http.Request, asked ask) {
		drip(w, r, media(asked), strings.Repeat(event("x"), 2000)+"data: [DONE]\n\n", "")
	},
	"burst": func(w http.ResponseWriter, r *http.Request, asked ask) {
		endless(w, r, asked, event("x"), burst())
	},
	"bomb":   bomb,
	"silent": func(_ http.ResponseWriter, r *http.Request, _ ask) { <-r.Context().Done() },
	"large-calls": func(w http.ResponseWriter, _ *http.Request, _ ask) {
		call := `{"index": 0, "id": "c", "type": "function", "function": {"name": "lookup", "arguments": "{\"q\": \"` +
			strings.Repeat("q", 150_000) + `\"}"}}`
		whole(w, []byte(`{"object": "chat.completion", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": `+
			string(list(call, 100))+`}}], "usage": {"total_tokens": 1}}`))
	},
}

var (
	giant   = sync.OnceValue(func() string { return `"` + strings.Repeat("g", 16*mebi-1024) + `"` })
	nested  = sync.OnceValue(func() string { return strings.Repeat(`[`, 4*mebi) + strings.Repeat(`]`, 4*mebi) })
	encoded = sync.OnceValue(func() string { return `"` + strings.Repeat(`{},`, 4*mebi) + `"` })
	burst   = sync.OnceValue(func() []byte { return []byte(strings.Repeat(event("x"), 100_000) + "data: [DONE]\n\n") })
)

// event is one chunk of a stream with a text.
func event(text string) string {
	return `data: {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": {"content": "` + text + `"}}]}` + "\n\n"
}

func media(asked ask) string {
	if asked.Stream {
		return "text/event-stream"
	}
	return "application/json"
}

// answer says content, which is JSON, in one event or in a whole answer.
func answer(w http.ResponseWriter, asked ask, content string) {
	w.Header().Set("Content-Type", media(asked))
	if !asked.Stream {
		_, _ = io.WriteString(w, `{"object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": `)
		_, _ = io.WriteString(w, content)
		_, _ = io.WriteString(w, `}}], "usage": {"total_tokens": 1}}`)
		return
	}
	_, _ = io.WriteString(w, `data: {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": {"content": `)
	_, _ = io.WriteString(w, content)
	_, _ = io.WriteString(w, "}}]}\n\ndata: [DONE]\n\n")
}

// endless repeats a piece until the gateway, or the time, has had enough.
func endless(w http.ResponseWriter, r *http.Request, asked ask, first string, piece []byte) {
	w.Header().Set("Content-Type", media(asked))
	_, err := io.WriteString(w, first)
	for begun := time.Now(); err == nil && r.Context().Err() == nil && time.Since(begun) < enough; {
		_, err = w.Write(piece)
	}
}

// raw repeats a piece on the bare connection: the head never ends.
func raw(w http.ResponseWriter, first, piece string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(enough))
	_, err = io.WriteString(conn, first)
	for err == nil {
		_, err = io.WriteString(conn, piece)
	}
}

// drip sends a text byte by byte, then another one again and again, if there is one.
func drip(w http.ResponseWriter, r *http.Request, media, text, again string) {
	w.Header().Set("Content-Type", media)
	flush := http.NewResponseController(w)
	for i := 0; i < len(text) && r.Context().Err() == nil; i++ {
		if _, err := io.WriteString(w, text[i:i+1]); err != nil || flush.Flush() != nil {
			return
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); again != "" && time.Since(begun) < enough; {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			_, _ = io.WriteString(w, again)
			_ = flush.Flush()
		}
	}
}

// bombed is a chat whose text is 256 MiB of zeros, squeezed into a quarter of one.
var bombed = sync.OnceValue(func() []byte {
	var squeezed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&squeezed, gzip.BestSpeed)
	_, _ = io.WriteString(z, `data: {"choices": [{"index": 0, "delta": {"content": "`)
	zeros := bytes.Repeat([]byte("0"), mebi)
	for range 256 {
		_, _ = z.Write(zeros)
	}
	_, _ = io.WriteString(z, "\"}}]}\n\ndata: [DONE]\n\n")
	_ = z.Close()
	return squeezed.Bytes()
})

// bomb compresses its answer, asked for or not.
func bomb(w http.ResponseWriter, _ *http.Request, asked ask) {
	w.Header().Set("Content-Type", media(asked))
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(bombed())
}
