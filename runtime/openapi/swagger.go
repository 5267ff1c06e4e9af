package openapi

import (
	"bytes"
	"net/http"
	"net/url"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/llmservice/llmservice/runtime/relay"
)

// swaggerPage is Swagger UI with the plugin of page/streams.js, and the title that page/title.js gives it.
func swaggerPage() *relay.Reply {
	w := &memory{header: http.Header{}}
	v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "API", SwaggerJSON: DocumentPath, BasePath: SwaggerPath,
		AppendHead: `<script src="` + SwaggerPath + `/streams.js"></script><script src="` + SwaggerPath + `/title.js"></script>`,
		SettingsUI: map[string]string{"plugins": "[SwaggerUIBundle.plugins.DownloadUrl, StreamedAnswers]"},
	}).ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: SwaggerPath}})
	return pageReply(w.body.Bytes(), contentSecurityPolicy(w.body.Bytes(), "", "'none'"))
}

// memory is a response writer that keeps what a handler writes.
type memory struct {
	header http.Header
	body   bytes.Buffer
}

func (m *memory) Header() http.Header         { return m.header }
func (m *memory) WriteHeader(int)             {}
func (m *memory) Write(b []byte) (int, error) { return m.body.Write(b) }
