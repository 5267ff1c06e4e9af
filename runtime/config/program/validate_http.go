package program

import (
	"regexp"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

// A field name of HTTP (RFC 9110, section 5.6.2).
var fieldName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,128}$")

// ownHeaders are set by the gateway, or would change what a request is (RFC 9110, section 7.6.1).
var ownHeaders = []string{
	"accept-encoding", "connection", "content-encoding", "content-length", "expect", "host", "http2-settings", "keep-alive",
	"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

func (v *validator) http(path string, h *config.HTTPCall, at *place) typedWork {
	choice := v.chosen(path, h.Upstream, h.Upstreams, at, v.httpUpstream)
	if !slices.Contains(config.Methods, h.Method) {
		v.addf(path+".method", "%q, want one of %s", h.Method, strings.Join(config.Methods, ", "))
	}
	compiled := &HTTP{HTTPCall: h, Choice: choice}
	compiled.Path = v.template(path+".path", at, func(env *expr.Env) (*expr.Template, error) { return env.CompilePath(h.Path) })
	compiled.Query = v.templates(path+".query", h.Query, at)
	v.headers(path+".headers", h.Headers)
	if compiled.Headers = v.templates(path+".headers", h.Headers, at); compiled.Headers != nil {
		v.noControls(path+".headers", compiled.Headers)
	}
	compiled.Body, _ = v.tree(path+".body", h.Body, at)
	for i, status := range h.AllowStatus {
		v.between(config.Item(path+".allowStatus", i), status, 300, 599)
	}
	return typedWork{compiled, httpType}
}

func (v *validator) headers(path string, headers map[string]string) {
	for name := range headers {
		lower := strings.ToLower(name)
		switch {
		case !fieldName.MatchString(name):
			v.addf(path+"."+name, "is not the name of a header, want one such as X-Api-Key")
		case lower == "authorization":
			v.addf(path+"."+name, "may not be set here, want it left out: put credentials into the upstream's auth")
		case slices.Contains(ownHeaders, lower):
			v.addf(path+"."+name, "may not be set here: the gateway sets it, want it left out")
		}
	}
}
