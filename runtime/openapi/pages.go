package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Where the page and the document are.
const (
	PagesPath    = "/docs"
	DocumentPath = "/openapi.json"
)

// assets are the files that the page refers to; what else the module holds is for other layouts.
var assets = []string{
	"swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "favicon-16x16.png", "favicon-32x32.png",
}

// Pages serves Swagger UI from memory; a browser that shows it asks nobody but this gateway. It is immutable and may
// be used from many goroutines at once.
type Pages struct {
	page   *relay.Reply
	assets map[string]*asset
}

// NewPages prepares the pages. It panics where the module of Swagger UI lacks a file, which no input can cause.
func NewPages() *Pages {
	p := &Pages{page: renderPage(), assets: map[string]*asset{}}
	for _, name := range assets {
		a, err := loadAsset(name)
		if err != nil {
			panic(fmt.Sprintf("openapi: %v", err))
		}
		p.assets[PagesPath+"/"+name] = a
	}
	return p
}

// Reply answers a request for the page or one of its files; ok is false for every path that is not PagesPath or
// below it.
func (p *Pages) Reply(method, path string, header http.Header) (reply *relay.Reply, ok bool) {
	if path != PagesPath && !strings.HasPrefix(path, PagesPath+"/") {
		return nil, false
	}
	a, isAsset := p.assets[path]
	isPage := path == PagesPath || path == PagesPath+"/"
	switch {
	case !isAsset && !isPage:
		return relay.Problem(problem.FastAPI, problem.New(problem.NotFound)), true
	case method != http.MethodGet && method != http.MethodHead:
		allowed := problem.NotAllowed([]string{http.MethodGet, http.MethodHead})
		return relay.Problem(problem.FastAPI, allowed), true
	case isPage:
		return p.page, true
	}
	return a.reply(header), true
}

func renderPage() *relay.Reply {
	w := &memory{header: http.Header{}}
	v5emb.NewHandlerWithConfig(swgui.Config{Title: "API", SwaggerJSON: DocumentPath, BasePath: PagesPath}).
		ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: PagesPath}})
	header := http.Header{}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", contentSecurityPolicy(w.body.Bytes()))
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	return &relay.Reply{Status: http.StatusOK, Header: header, Body: w.body.Bytes()}
}

// memory is a response writer that keeps what a handler writes.
type memory struct {
	header http.Header
	body   bytes.Buffer
}

func (m *memory) Header() http.Header         { return m.header }
func (m *memory) WriteHeader(int)             {}
func (m *memory) Write(b []byte) (int, error) { return m.body.Write(b) }

var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	inlineStyle  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
)

// contentSecurityPolicy lets the page load and call nothing but its own origin (CSP Level 3). What stands in the page
// itself is allowed by its hash. The style sheet has its pictures in data URLs.
func contentSecurityPolicy(page []byte) string {
	return strings.Join([]string{
		"default-src 'self'",
		"script-src 'self'" + hashes(inlineScript, page),
		"style-src 'self'" + hashes(inlineStyle, page),
		"img-src 'self' data:",
		"object-src 'none'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

func hashes(inline *regexp.Regexp, page []byte) string {
	var sources strings.Builder
	for _, match := range inline.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(match[1])
		sources.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	}
	return sources.String()
}
