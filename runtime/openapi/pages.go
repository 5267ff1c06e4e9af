package openapi

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/swaggest/swgui/v5/static"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Where the pages and the document are.
const (
	SwaggerPath  = "/docs"
	ReDocPath    = "/redoc"
	DocumentPath = "/openapi.json"
)

// Pages serves Swagger UI and ReDoc from memory; a browser that shows them asks only this gateway. It is
// immutable and may be used from many goroutines at once.
type Pages struct {
	pages  map[string]*relay.Reply
	assets map[string]*asset
}

// files are those that the pages refer to, by the page that has them below it; what else the modules hold is for other
// layouts.
var files = []struct {
	page  string
	from  fs.FS
	names []string
}{
	{SwaggerPath, static.FS, []string{
		"swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "favicon-16x16.png", "favicon-32x32.png",
	}},
	{SwaggerPath, own, []string{"page/streams.js", "page/title.js"}},
	{ReDocPath, own, []string{"redoc/redoc.standalone.js", "redoc/redoc.standalone.js.LICENSE.txt", "page/redoc.css"}},
}

// NewPages prepares the pages. It panics if a file is missing from the program, which no input can cause.
func NewPages() *Pages {
	p := &Pages{
		pages:  map[string]*relay.Reply{SwaggerPath: swaggerPage(), ReDocPath: redocPage()},
		assets: map[string]*asset{},
	}
	for _, f := range files {
		for _, name := range f.names {
			a, err := loadAsset(f.from, name)
			if err != nil {
				panic(fmt.Sprintf("openapi: %v", err))
			}
			p.assets[f.page+"/"+path.Base(name)] = a
		}
	}
	return p
}

// Reply answers a request for a page or one of its files. page is the page's path; it is empty, and there is no reply,
// for every path that is neither a page's nor below it.
func (p *Pages) Reply(method, path string, header http.Header) (reply *relay.Reply, page string) {
	if page = pageOf(path); page == "" {
		return nil, ""
	}
	a, isAsset := p.assets[path]
	isPage := path == page || path == page+"/"
	switch {
	case !isAsset && !isPage:
		return relay.Problem(problem.FastAPI, problem.New(problem.NotFound)), page
	case method != http.MethodGet && method != http.MethodHead:
		allowed := problem.NotAllowed([]string{http.MethodGet, http.MethodHead})
		return relay.Problem(problem.FastAPI, allowed), page
	case isPage:
		return p.pages[page], page
	}
	return a.reply(header), page
}

func pageOf(path string) string {
	for _, page := range []string{SwaggerPath, ReDocPath} {
		if below, ok := strings.CutPrefix(path, page); ok && (below == "" || below[0] == '/') {
			return page
		}
	}
	return ""
}

// pageReply serves a page's HTML under a policy that fits it.
func pageReply(html []byte, policy string) *relay.Reply {
	header := http.Header{}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Security-Policy", policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	return &relay.Reply{Status: http.StatusOK, Header: header, Body: html}
}
