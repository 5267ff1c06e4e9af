package openapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// serve puts the pages behind a real server; what they do not answer is 418.
func serve(t *testing.T) string {
	t.Helper()
	pages := NewPages()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, page := pages.Reply(r.Method, r.URL.Path, r.Header)
		if page == "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		maps.Copy(w.Header(), reply.Header)
		w.WriteHeader(reply.Status)
		_, _ = w.Write(reply.Body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func get(t *testing.T, method, address string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	// Compression is what is tested: the transport shall neither ask for it nor undo it.
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, body}
}

func TestPaths(t *testing.T) {
	base := serve(t)
	for _, tc := range []struct {
		method, path string
		status       int
		media, allow string
	}{
		{"GET", "/docs", 200, "text/html; charset=utf-8", ""},
		{"GET", "/docs/", 200, "text/html; charset=utf-8", ""},
		{"HEAD", "/docs", 200, "text/html; charset=utf-8", ""},
		{"GET", "/docs/swagger-ui.css", 200, "text/css; charset=utf-8", ""},
		{"GET", "/docs/swagger-ui-bundle.js", 200, "text/javascript; charset=utf-8", ""},
		{"GET", "/docs/favicon-16x16.png", 200, "image/png", ""},
		{"GET", "/docs/swagger-ui-bundle.js.gz", 404, jsonType, ""},
		{"GET", "/docs/../openapi.json", 404, jsonType, ""},
		{"GET", "/docs/none", 404, jsonType, ""},
		{"POST", "/docs", 405, jsonType, "GET, HEAD"},
		{"DELETE", "/docs/swagger-ui.css", 405, jsonType, "GET, HEAD"},
		{"GET", "/docs/streams.js", 200, "text/javascript; charset=utf-8", ""},
		{"GET", "/docs/title.js", 200, "text/javascript; charset=utf-8", ""},
		{"GET", "/redoc", 200, "text/html; charset=utf-8", ""},
		{"HEAD", "/redoc/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/redoc/redoc.css", 200, "text/css; charset=utf-8", ""},
		{"GET", "/redoc/redoc.standalone.js", 200, "text/javascript; charset=utf-8", ""},
		{"GET", "/redoc/redoc.standalone.js.LICENSE.txt", 200, "text/plain; charset=utf-8", ""},
		{"GET", "/redoc/swagger-ui.css", 404, jsonType, ""},
		{"GET", "/docs/redoc.css", 404, jsonType, ""},
		{"PUT", "/redoc", 405, jsonType, "GET, HEAD"},
		{"GET", "/redocs", 418, "", ""},
		{"GET", "/docsy", 418, "", ""},
		{"GET", "/", 418, "", ""},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			got := get(t, tc.method, base+tc.path)
			if got.status != tc.status || got.header.Get("Content-Type") != tc.media || got.header.Get("Allow") != tc.allow {
				t.Errorf("got %d %q %q; want %d %q %q", got.status, got.header.Get("Content-Type"), got.header.Get("Allow"),
					tc.status, tc.media, tc.allow)
			}
		})
	}
}

// page is what a browser finds in the HTML.
type page struct {
	references      []string // addresses that it loads
	scripts, styles []string // inline
	handlers        []string // attributes that run code or style, which a hash does not allow
}

func readPage(t *testing.T, text []byte) page {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var p page
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		loads := false
		for _, a := range n.Attr {
			switch {
			case a.Key == "src" || a.Key == "href":
				p.references = append(p.references, a.Val)
				loads = true
			case strings.HasPrefix(a.Key, "on") || a.Key == "style":
				p.handlers = append(p.handlers, a.Key)
			}
		}
		if n.FirstChild != nil && !loads {
			switch n.Data {
			case "script":
				p.scripts = append(p.scripts, n.FirstChild.Data)
			case "style":
				p.styles = append(p.styles, n.FirstChild.Data)
			}
		}
	}
	return p
}

// A browser without a way to the internet shows the pages: everything that they load is the gateway's own.
func TestPageRefersToNoOtherHost(t *testing.T) {
	base := serve(t)
	for path, least := range map[string]int{SwaggerPath: 6, ReDocPath: 3} {
		p := readPage(t, get(t, "GET", base+path).body)
		if len(p.references) < least {
			t.Errorf("%s refers to %v, want a style sheet, scripts and icons", path, p.references)
		}
		for _, reference := range p.references {
			u, err := url.Parse(reference)
			if err != nil || u.IsAbs() || u.Host != "" {
				t.Errorf("%s refers to %s", path, reference)
				continue
			}
			if got := get(t, "GET", base+reference); got.status != 200 || len(got.body) == 0 {
				t.Errorf("%s: got %d with %d bytes", reference, got.status, len(got.body))
			}
		}
	}
	// In a style sheet, url() and @import load; in a script nothing does that the policy does not allow.
	css := get(t, "GET", base+"/docs/swagger-ui.css").body
	for _, match := range regexp.MustCompile(`url\(\s*["']?([^)"']*)|@import[^;]*`).FindAllSubmatch(css, -1) {
		if !bytes.HasPrefix(match[1], []byte("data:")) {
			t.Errorf("the style sheet loads %s", match[0])
		}
	}
	if bytes.Contains(get(t, "GET", base+"/redoc/redoc.standalone.js").body, []byte("cdn.redoc.ly")) {
		t.Error("ReDoc loads its logo from its maker")
	}
}

func TestPagesShowTheDocument(t *testing.T) {
	base := serve(t)
	for path, texts := range map[string][]string{
		SwaggerPath: {`"swaggerJsonUrl":"/openapi.json"`, "validatorUrl: null"}, // null: swagger.io is not asked to validate
		ReDocPath:   {`spec-url="/openapi.json"`},
	} {
		html := get(t, "GET", base+path).body
		for _, text := range texts {
			if !bytes.Contains(html, []byte(text)) {
				t.Errorf("%s has no %s", path, text)
			}
		}
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	base := serve(t)
	for _, tc := range []struct {
		path            string
		scripts, styles int      // inline
		generated       []string // hashes of the styles that scripts write; test/browser reports whether they suffice
		workers         string
	}{
		{SwaggerPath, 2, 1, nil, "'none'"},
		{ReDocPath, 0, 0, []string{strings.TrimSpace(scrollbarStyle), hashOf("")}, "blob:"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			got := get(t, "GET", base+tc.path)
			p := readPage(t, got.body)
			if len(p.scripts) != tc.scripts || len(p.styles) != tc.styles || len(p.handlers) > 0 {
				t.Errorf("the page has changed: %d inline scripts, %d styles; attributes that no hash allows: %v",
					len(p.scripts), len(p.styles), p.handlers)
			}
			want := map[string][]string{
				"default-src": {"'self'"},
				"script-src":  append([]string{"'self'"}, hashesOf(p.scripts)...),
				"style-src":   slices.Concat([]string{"'self'"}, hashesOf(p.styles), tc.generated),
				"worker-src":  {tc.workers},
				"img-src":     {"'self'", "data:"},
				"object-src":  {"'none'"}, "base-uri": {"'none'"}, "form-action": {"'none'"}, "frame-ancestors": {"'none'"},
			}
			policy := map[string][]string{}
			for directive := range strings.SplitSeq(got.header.Get("Content-Security-Policy"), ";") {
				words := strings.Fields(directive)
				policy[words[0]] = words[1:]
			}
			if diff := cmp.Diff(want, policy); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
		})
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func hashesOf(texts []string) []string {
	var hashes []string
	for _, text := range texts {
		hashes = append(hashes, hashOf(text))
	}
	return hashes
}

func TestAssetsAreCompressedAndCached(t *testing.T) {
	base := serve(t)
	for path, text := range map[string]string{"/docs/swagger-ui-bundle.js": "SwaggerUIBundle", "/redoc/redoc.standalone.js": "Redoc"} {
		t.Run(path, func(t *testing.T) { testCompressedAndCached(t, base, path, text) })
	}
}

func testCompressedAndCached(t *testing.T, base, path, text string) {
	t.Helper()
	plain := get(t, "GET", base+path)
	if plain.header.Get("Content-Encoding") != "" || !bytes.Contains(plain.body, []byte(text)) {
		t.Fatalf("without Accept-Encoding: encoding %q, %d bytes", plain.header.Get("Content-Encoding"), len(plain.body))
	}
	for _, accept := range []string{"gzip", "br, GZIP;q=0.5", "identity, gzip ; q=1"} {
		packed := get(t, "GET", base+path, "Accept-Encoding", accept)
		if packed.header.Get("Content-Encoding") != "gzip" || len(packed.body) >= len(plain.body) {
			t.Fatalf("%s: encoding %q, %d bytes", accept, packed.header.Get("Content-Encoding"), len(packed.body))
		}
		r, err := gzip.NewReader(bytes.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, err := io.ReadAll(r); err != nil || !bytes.Equal(unpacked, plain.body) {
			t.Errorf("%s: another file (%v)", accept, err)
		}
		if packed.header.Get("ETag") == plain.header.Get("ETag") {
			t.Errorf("%s: both forms have the tag %s", accept, packed.header.Get("ETag"))
		}
	}
	for _, accept := range []string{"br", "gzip;q=0", "gzip; q=0.0", "xgzip"} {
		if got := get(t, "GET", base+path, "Accept-Encoding", accept); got.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: got %q", accept, got.header.Get("Content-Encoding"))
		}
	}
	if plain.header.Get("Vary") != "Accept-Encoding" || plain.header.Get("Cache-Control") != assetAge {
		t.Errorf("Vary %q, Cache-Control %q", plain.header.Get("Vary"), plain.header.Get("Cache-Control"))
	}

	tag := plain.header.Get("ETag")
	for _, held := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		if got := get(t, "GET", base+path, "If-None-Match", held); got.status != http.StatusNotModified || len(got.body) > 0 {
			t.Errorf("If-None-Match %s: got %d with %d bytes, want 304", held, got.status, len(got.body))
		}
	}
	if got := get(t, "GET", base+path, "If-None-Match", `"other"`); got.status != http.StatusOK {
		t.Errorf("If-None-Match of another: got %d, want 200", got.status)
	}
}

// The image of the gateway is small, and so are the pages in it.
func TestAssetsAreSmall(t *testing.T) {
	sum := 0
	for _, a := range NewPages().assets {
		sum += len(a.body)
	}
	if limit := 1 << 20; sum > limit {
		t.Errorf("the assets have %d bytes, want at most %d", sum, limit)
	}
}
