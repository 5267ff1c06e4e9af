package openapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/llmservice/llmservice/runtime/relay"
)

// assetAge is how long a browser may use an asset without asking: the next release of the gateway may have another.
const assetAge = "public, max-age=3600"

// mediaTypes are those of the assets: the system's own table need not have them.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".png": "image/png",
	".txt": "text/plain; charset=utf-8",
}

// asset is a file of a page, in the form in which the program has it.
type asset struct {
	body    []byte
	gzipped bool
	header  http.Header
	etag    string
}

func loadAsset(from fs.FS, name string) (*asset, error) {
	body, err := fs.ReadFile(from, name+".gz")
	gzipped := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		body, err = fs.ReadFile(from, name)
	}
	if err != nil {
		return nil, fmt.Errorf("asset %s: %w", name, err)
	}
	sum := sha256.Sum256(body)
	a := &asset{body: body, gzipped: gzipped, header: http.Header{}, etag: hex.EncodeToString(sum[:8])}
	a.header.Set("Content-Type", mediaTypes[path.Ext(name)])
	a.header.Set("Cache-Control", assetAge)
	a.header.Set("X-Content-Type-Options", "nosniff")
	if gzipped {
		a.header.Set("Vary", "Accept-Encoding")
	}
	return a, nil
}

// reply answers in the form that the client takes. Each form has its own entity tag (RFC 9110, section 8.8.3).
func (a *asset) reply(request http.Header) *relay.Reply {
	header, body, tag := a.header.Clone(), a.body, `"`+a.etag+`"`
	if a.gzipped && accepts(request, "gzip") {
		header.Set("Content-Encoding", "gzip")
		tag = `"` + a.etag + `-gzip"`
	} else if a.gzipped {
		var err error
		if body, err = expand(a.body); err != nil {
			panic(fmt.Sprintf("openapi: an embedded file cannot be expanded: %v", err))
		}
	}
	header.Set("ETag", tag)
	if holds(request, tag) {
		return &relay.Reply{Status: http.StatusNotModified, Header: header}
	}
	return &relay.Reply{Status: http.StatusOK, Header: header, Body: body}
}

func expand(compressed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return io.ReadAll(r)
}

// accepts reports whether the client takes the coding (RFC 9110, section 12.5.3).
func accepts(request http.Header, coding string) bool {
	for field := range strings.SplitSeq(strings.Join(request.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(field), ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		_, q, weighted := strings.Cut(weight, "=")
		value, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return !weighted || err == nil && value > 0
	}
	return false
}

// holds reports whether the client has the representation already (RFC 9110, section 13.1.2).
func holds(request http.Header, tag string) bool {
	for field := range strings.SplitSeq(strings.Join(request.Values("If-None-Match"), ","), ",") {
		if field = strings.TrimSpace(field); field == "*" || strings.TrimPrefix(field, "W/") == tag {
			return true
		}
	}
	return false
}
