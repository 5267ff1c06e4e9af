package openapi

import (
	"embed"

	"github.com/llmservice/llmservice/runtime/relay"
)

// own are the files of the pages that no module of Go has: those of this project, and ReDoc, which redoc/fetch writes.
//
//go:embed page/streams.js page/title.js page/redoc.css redoc/redoc.standalone.js.gz redoc/redoc.standalone.js.LICENSE.txt
var own embed.FS

//go:embed page/redoc.html
var redocHTML []byte

// scrollbarStyle is the hash of a style that ReDoc's bundle adds to the page; it changes with the bundle.
const scrollbarStyle = " 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"

// redocPage allows what ReDoc does besides: it adds its own style and empty ones that it fills rule by rule, and
// searches in a worker made of its own text.
func redocPage() *relay.Reply {
	return pageReply(redocHTML, contentSecurityPolicy(redocHTML, scrollbarStyle+hashSource(nil), "blob:"))
}
