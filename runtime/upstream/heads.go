package upstream

import (
	"net/http"
	"net/textproto"
	"sync"

	"github.com/llmservice/llmservice/runtime/upstream/http1"
)

// read are the header fields of answers that anybody reads.
var read = []string{"Content-Type", "Content-Encoding", "Retry-After"}

// maxHeads bounds the headers that are kept, and longestType the media types in them, in bytes.
const maxHeads, longestType = 256, 64

// heads makes headers of answers. Most answers have nothing but one of a few media types, and share its header, which nobody
// changes.
type heads struct {
	mu    sync.Mutex
	typed map[string]http.Header
}

func (h *heads) of(fields []http1.Field) http.Header {
	var media []byte
	count := 0
	for _, f := range fields {
		if name := readAs(f.Name); name != "" {
			count++
			if name == read[0] {
				media = f.Value
			}
		}
	}
	switch {
	case count == 0:
		return nil
	case count == 1 && media != nil:
		return h.ofType(media)
	}
	header := make(http.Header, count)
	for _, f := range fields {
		if name := readAs(f.Name); name != "" {
			header[name] = append(header[name], string(f.Value))
		}
	}
	return header
}

// readAs is the canonical name of a field that somebody reads; empty for the others.
func readAs(name []byte) string {
	for _, r := range read {
		if len(name) == len(r) && (string(name) == r || textproto.CanonicalMIMEHeaderKey(string(name)) == r) {
			return r
		}
	}
	return ""
}

func (h *heads) ofType(media []byte) http.Header {
	h.mu.Lock()
	defer h.mu.Unlock()
	header, ok := h.typed[string(media)]
	if ok {
		return header
	}
	header = http.Header{read[0]: {string(media)}}
	if h.typed == nil {
		h.typed = map[string]http.Header{}
	}
	if len(h.typed) < maxHeads && len(media) <= longestType {
		h.typed[string(media)] = header
	}
	return header
}
