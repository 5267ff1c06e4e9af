package config

import (
	"cmp"
	"mime"
	"net/http"
	"strings"
)

// Head is what an answer has besides its status and its body.
type Head struct {
	// Headers are templates by the names of headers.
	Headers map[string]string `json:"headers,omitempty"`
	Cookies []SetCookie       `json:"cookies,omitempty"`
	// ContentType is the media type of the body; empty is that of JSON.
	ContentType string `json:"contentType,omitempty"`
	// BodyEncoding is BodyBase64 if the body is a text of bytes; empty if it is sent as it is.
	BodyEncoding string    `json:"bodyEncoding,omitempty"`
	Location     *Location `json:"location,omitzero"`
}

// BodyBase64 is the encoding of a body that is not text.
const BodyBase64 = "Base64"

// IsText reports whether the body is a text that is sent as such, or as the bytes that it stands for, and not JSON.
func (h *Head) IsText() bool {
	if h.ContentType == "" {
		return false
	}
	media, _, err := mime.ParseMediaType(h.ContentType)
	return err == nil && media != "application/json" && !strings.HasSuffix(media, "+json")
}

// MediaType is the answer's Content-Type. A text has a charset, as clients would guess one otherwise.
func (h *Head) MediaType() string {
	switch {
	case h.ContentType == "":
		return "application/json"
	case strings.HasPrefix(h.ContentType, "text/") && h.BodyEncoding == "" && !strings.Contains(h.ContentType, "charset="):
		return h.ContentType + "; charset=utf-8"
	}
	return h.ContentType
}

// SetCookie is a cookie that clients are asked to keep.
type SetCookie struct {
	Name string `json:"name"`
	// Value is a template.
	Value string `json:"value,omitempty"`
	Path  string `json:"path"`
	// MaxAge is in seconds; nil until the client ends.
	MaxAge   *int   `json:"maxAge,omitzero"`
	HTTPOnly bool   `json:"httpOnly"`
	Secure   bool   `json:"secure"`
	SameSite string `json:"sameSite"`
}

// The values of SetCookie.SameSite (RFC 6265bis, section 4.1.2.7).
const (
	SameSiteStrict = "Strict"
	SameSiteLax    = "Lax"
	SameSiteNone   = "None"
)

// SameSites are all of them.
var SameSites = []string{SameSiteStrict, SameSiteLax, SameSiteNone}

// MaxCookieAge is the longest that browsers keep a cookie, in seconds.
const MaxCookieAge = 400 * 24 * 60 * 60

// Location is where a redirect leads, or what an answer is about.
type Location struct {
	// Origin is a scheme and a host; empty stands for the request's.
	Origin string `json:"origin,omitempty"`
	// Path is a template of a path, and Query has templates by the names of parameters.
	Path  string            `json:"path"`
	Query map[string]string `json:"query,omitempty"`
}

// LocationStatuses are those of answers that may have a Location (RFC 9110, section 10.2.2).
var LocationStatuses = []int{
	http.StatusCreated, http.StatusAccepted, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
	http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
}

// HasNoContent reports whether answers of a status have no body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
func HasNoContent(status int) bool {
	return status == http.StatusNoContent || status == http.StatusResetContent || status == http.StatusNotModified
}

// StatusCode is the status of the answer, if it is a success.
func (r *Response) StatusCode() int {
	if r.Location != nil {
		return cmp.Or(r.Status, http.StatusTemporaryRedirect)
	}
	return cmp.Or(r.Status, http.StatusOK)
}
