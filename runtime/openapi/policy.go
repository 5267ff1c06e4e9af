package openapi

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
)

var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	inlineStyle  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
)

// contentSecurityPolicy lets the page load and call nothing but its own origin (CSP Level 3), and run what stands in the
// page itself, by its hash. Pictures may be data URLs: the style sheet of Swagger UI has such. styles are the hashes of
// what scripts put into style elements, workers what workers may come from.
func contentSecurityPolicy(page []byte, styles, workers string) string {
	return strings.Join([]string{
		"default-src 'self'",
		"script-src 'self'" + hashes(inlineScript, page),
		"style-src 'self'" + hashes(inlineStyle, page) + styles,
		"worker-src " + workers,
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
		sources.WriteString(hashSource(match[1]))
	}
	return sources.String()
}

// hashSource is the source expression for a script or a style of this text, with a space before it.
func hashSource(text []byte) string {
	sum := sha256.Sum256(text)
	return " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
