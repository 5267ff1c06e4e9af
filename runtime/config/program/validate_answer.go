package program

import (
	"encoding/base64"
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

// maxCookies bounds the cookies of an answer.
const maxCookies = 16

// answerHeaders are headers that an answer cannot set, and what to write in their place.
var answerHeaders = map[string]string{
	"content-type": "contentType", "location": "location", "set-cookie": "cookies",
	"date": "nothing, the gateway sends it", "x-request-id": "nothing, the gateway sends it",
}

// streamHeaders are the gateway's own in the answers that stream.
var streamHeaders = []string{"cache-control", "x-accel-buffering"}

// answer reads an answer that ends the route.
func (v *validator) answer(path string, r *config.Respond, at *place) *Respond {
	v.mayAnswer(path, r.Status, at)
	v.between(path+".status", r.Status, 200, 599)
	compiled := &Respond{Status: r.Status, Head: v.head(path, &r.Head, at)}
	compiled.Body = v.content(path, r.Body, compiled.Head, at)
	v.statusFits(path, r.Status, r.Body != nil, r.Location != nil)
	return compiled
}

// content reads the body of an answer, which is a text if its head says so.
func (v *validator) content(path string, raw []byte, h *Head, at *place) *expr.Tree {
	body, is := v.tree(path+".body", raw, at)
	switch {
	case raw == nil && h.ContentType != "":
		v.addf(path+".contentType", "has no effect without body, want both or neither")
	case body == nil || !h.IsText():
	case !is.Equal(expr.String) && !is.Equal(expr.Dyn):
		v.addf(path+".body", "is of the type %s, want text, because contentType is %s; for example ${steps.answer.output.json()}",
			is, h.ContentType)
	case h.BodyEncoding == config.BodyBase64:
		if text, known := body.Known(v.known.constants).(string); known {
			if _, err := base64.StdEncoding.DecodeString(text); err != nil {
				v.addf(path+".body", "is not base64, want base64 or no bodyEncoding")
			}
		}
	}
	return body
}

// statusFits checks that answers of a status may have what this one has.
func (v *validator) statusFits(path string, status int, body, location bool) {
	if body && config.HasNoContent(status) {
		v.addf(path+".body", "is not allowed, because answers with the status %d have none", status)
	}
	if location && !slices.Contains(config.LocationStatuses, status) {
		v.addf(path+".location",
			"is not allowed with the status %d, want 303 for a redirect to a GET, 307 to repeat the request, or another of %s",
			status, strings.Trim(fmt.Sprint(config.LocationStatuses), "[]"))
	}
}

// head reads what an answer has besides its status and its body.
func (v *validator) head(path string, h *config.Head, at *place) *Head {
	compiled := &Head{Head: h}
	v.answerHeaders(path+".headers", h.Headers)
	if compiled.Headers = v.templates(path+".headers", h.Headers, at); compiled.Headers != nil {
		v.noControls(path+".headers", compiled.Headers)
	}
	compiled.Cookies = v.cookies(path+".cookies", h.Cookies, at)
	if media, _, err := mime.ParseMediaType(h.ContentType); h.ContentType != "" && (err != nil || !strings.Contains(media, "/")) {
		v.addf(path+".contentType", "%q is not a media type, want for example text/html", h.ContentType)
	}
	switch {
	case h.BodyEncoding == "":
	case h.BodyEncoding != config.BodyBase64:
		v.addf(path+".bodyEncoding", "%q, want %s", h.BodyEncoding, config.BodyBase64)
	case !h.IsText():
		v.addf(path+".bodyEncoding", "is only for bytes, want a contentType that is not JSON, such as image/png")
	}
	compiled.Location = v.location(path+".location", h.Location, at)
	return compiled
}

func (v *validator) answerHeaders(path string, headers map[string]string) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower := strings.ToLower(name)
		switch instead, own := answerHeaders[lower]; {
		case !fieldName.MatchString(name):
			v.addf(path+"."+name, "is not the name of a header, want for example X-Total-Count")
		case own:
			v.addf(path+"."+name, "may not be set here, want %s", instead)
		case slices.Contains(ownHeaders, lower):
			v.addf(path+"."+name, "may not be set here: it belongs to a single connection, or the gateway sets it; want another header")
		case seen[lower]:
			v.addf(path+"."+name, "is there twice, in upper and in lower case, want it once")
		}
		seen[lower] = true
	}
}

func (v *validator) cookies(path string, cookies []config.SetCookie, at *place) []*expr.Template {
	if len(cookies) > maxCookies {
		v.addf(path, "has %d items, want at most %d", len(cookies), maxCookies)
	}
	values := make([]*expr.Template, len(cookies))
	for i := range cookies {
		c, here := &cookies[i], config.Item(path, i)
		v.cookie(here, c)
		if slices.ContainsFunc(cookies[:i], func(o config.SetCookie) bool { return o.Name == c.Name }) {
			v.addf(here+".name", "%q is the name of another cookie, want each name once", c.Name)
		}
		values[i] = v.text(here+".value", c.Value, at)
	}
	return values
}

// cookie checks what browsers refuse a cookie for, which they do without a word (RFC 6265bis, section 5.7).
func (v *validator) cookie(path string, c *config.SetCookie) {
	lower := strings.ToLower(c.Name)
	host, secure := strings.HasPrefix(lower, "__host-"), strings.HasPrefix(lower, "__secure-")
	switch {
	case !fieldName.MatchString(c.Name):
		v.addf(path+".name", "%q is not the name of a cookie, want letters, digits and -_., such as session", c.Name)
	case (host || secure) && !c.Secure:
		v.addf(path+".secure", "must be true, because of how the name %q begins; want true or another name", c.Name)
	case host && c.Path != "/":
		v.addf(path+".path", "must be /, because of how the name %q begins; want / or another name", c.Name)
	case c.SameSite == config.SameSiteNone && !c.Secure:
		v.addf(path+".secure", "must be true, because sameSite is %s; want true or another sameSite", c.SameSite)
	}
	ends := func(r rune) bool { return r <= ' ' || r == ';' || r == 0x7f }
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsFunc(c.Path, ends) {
		v.addf(path+".path", "%q is not the path of a cookie, want for example /", c.Path)
	}
	if !slices.Contains(config.SameSites, c.SameSite) {
		v.addf(path+".sameSite", "%q, want one of %s", c.SameSite, strings.Join(config.SameSites, ", "))
	}
	if c.MaxAge != nil {
		v.between(path+".maxAge", *c.MaxAge, 0, config.MaxCookieAge)
	}
}

// location reads where clients are sent. Its host is never made of what a client or an upstream says, which would let them send
// people to a page of their own under the name of this service.
func (v *validator) location(path string, l *config.Location, at *place) *Location {
	if l == nil {
		return nil
	}
	if l.Origin != "" {
		u, err := url.Parse(l.Origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || l.Origin != u.Scheme+"://"+u.Host {
			v.addf(path+".origin", "%q is not a scheme and a host, want for example https://login.example.com", l.Origin)
		}
	}
	if strings.HasPrefix(l.Path, "//") {
		v.addf(path+".path", "begins with //, after which browsers read a host; want one slash, and the host in origin")
	}
	compiled := &Location{Location: l}
	compiled.Path = v.template(path+".path", at, func(env *expr.Env) (*expr.Template, error) { return env.CompilePath(l.Path) })
	compiled.Query = v.templates(path+".query", l.Query, at)
	return compiled
}

// headFits checks what the two kinds of answers cannot have.
func (v *validator) headFits(path string, r *config.Route) {
	a, status := r.Response, r.Response.StatusCode()
	if !r.Streams() {
		if success := status >= 200 && status < 300; !success && a.Location == nil {
			v.addf(path+".status", "is %d, want from 200 to 299; a step respond answers with other statuses", status)
		}
		v.statusFits(path, status, a.Body != nil, a.Location != nil)
		return
	}
	if a.Status != 0 && a.Status != 200 {
		v.addf(path+".status", "is %d, but a stream has the status 200, want 200, or another one in a step respond before it", a.Status)
	}
	for name, set := range map[string]bool{
		"contentType": a.ContentType != "", "bodyEncoding": a.BodyEncoding != "", "location": a.Location != nil,
	} {
		if set {
			v.addf(path+"."+name, "is not allowed with stream or events, want body")
		}
	}
	for name := range a.Headers {
		if slices.Contains(streamHeaders, strings.ToLower(name)) {
			v.addf(path+".headers."+name, "may not be set here, the gateway sets it for streams: want another header")
		}
	}
}
