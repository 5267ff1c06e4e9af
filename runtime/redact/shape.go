package redact

import (
	"regexp"
	"strings"
)

// Keys that can be recognised by their beginning. The names are those of the services that issue them.
var prefixed = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(` + strings.Join([]string{
	`(?i:sk|pk|rk)[-_][A-Za-z0-9*._-]{4,}`, // OpenAI, Anthropic, OpenRouter, DeepSeek, Stripe
	`(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|AROA)[A-Z0-9]{12,}`,
	`AIza[A-Za-z0-9_-]{16,}`, `ya29\.[A-Za-z0-9._-]{8,}`, `GOCSPX-[A-Za-z0-9_-]{8,}`, // Google
	`(?:hf|gsk|r8|fw|jina|npm|whsec|tgp_v1|dckr_pat|github_pat|dop_v1|lsv2|shpat|gh[opsur])_[A-Za-z0-9_-]{16,}`,
	`(?:xai|nvapi|pplx|csk|tvly|glpat|pypi|xapp|xox[a-z]|sess)-[A-Za-z0-9_-]{12,}`,
	`SG\.[A-Za-z0-9._-]{16,}`,
	`eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}`, // JSON Web Tokens
}, `|`) + `)`)

// What follows a name that only credentials have, as header, as parameter of a URL or as member.
var named = regexp.MustCompile(`(?i)(?:` + strings.Join([]string{
	`\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|apikey)\s+)?([^\s"',;&]+)`,
	`\bbearer["']?[\s:=]+["']?([^\s"',;&]+)`,
	`\bbasic\s+([A-Za-z0-9+/_-]{8,}={1,2})`,
	`(?:\b|_)(?:api|access|account|auth|client|private|secret|shared|shared[-_ ]?access|subscription|security|session|refresh|id)` +
		`[-_ ]?(?:key|token|secret|signature)(?:[-_ ]?id)?["']?\s*(?:provided:|[:=])\s*["']?([^\s"',;&]+)`,
	`\b(?:secret|password|passwd|pwd|credentials?)["']?\s*[:=]\s*["']?([^\s"',;&]+)`,
	`\b(?:token|sig|signature|key)["']?=["']?([^\s"',;&]+)`,
	`\bx-(?:amz|goog)-[a-z-]+["']?\s*[:=]\s*["']?([^\s"',;&]+)`,
	// User information of URLs (RFC 3986, section 3.2.1), and what people write instead of it.
	`\b[a-z][a-z0-9+.-]*://([^\s/?#"'<>]+)@`, `\b[a-z][a-z0-9+.-]*://([^\s/?#"'<>:]*:[^\s"'<>]+)@`,
	`(-----BEGIN[^-]*-----(?:.*?-----END[^-]*-----|.*))`,
}, `|`) + `)`)

// shaped finds what looks like a key.
func shaped(text string) []span {
	var found []span
	for _, pattern := range []*regexp.Regexp{prefixed, named} {
		for _, match := range pattern.FindAllStringSubmatchIndex(text, -1) {
			for group := 2; group < len(match); group += 2 {
				if match[group] >= 0 {
					found = append(found, span{start: match[group], end: match[group+1]})
				}
			}
		}
	}
	return append(found, random(text)...)
}

// random finds runs of characters that no person would write: long ones of letters and digits, of hexadecimal or base64.
func random(text string) []span {
	var found []span
	for start := 0; start < len(text); start++ {
		end := start
		for end < len(text) && inKey(text[end]) {
			end++
		}
		if looksRandom(text[start:end]) && !public.MatchString(text[start:end]) {
			found = append(found, span{start: start, end: end})
		}
		start = end
	}
	return found
}

// Names that a protocol gives to what is not secret: an agent has to know which of its calls was wrong.
var public = regexp.MustCompile(`^(?:(?:call|toolu|req|resp|msg)_|chatcmpl-)[A-Za-z0-9]{1,40}$`)

// inKey holds for the characters of both alphabets of base64 (RFC 4648).
func inKey(c byte) bool { return isWord(c) || strings.IndexByte("+/=_-", c) >= 0 }

const (
	leastRun  = 20 // characters of a run that may be a key
	leastLong = 32 // from here on fewer signs of chance will do
	longest   = 40 // letters and digits in one: longer than any name
)

// looksRandom judges by how often the kind of character changes. Names of models and parameters are words with a few
// digits, in which a capital letter begins a word; in a key each character is any.
func looksRandom(run string) bool {
	if len(run) < leastRun {
		return false
	}
	var changes, digits, letters, piece, longestPiece int
	var last byte
	for i := range len(run) {
		k := kind(run[i])
		switch k {
		case 'd':
			digits++
		case 'u', 'l':
			letters++
		default:
			piece = -1
		}
		if last != 0 && last != 's' && k != 's' && k != last && (last != 'u' || k != 'l') {
			changes++
		}
		piece++
		longestPiece = max(longestPiece, piece)
		last = k
	}
	chance := float64(changes) / float64(digits+letters)
	switch {
	case longestPiece >= longest, isUUID(run), hexadecimal(run):
		return true
	case longestPiece >= 24 && digits >= 3 && letters > 0:
		return true
	case len(run) >= leastLong:
		return chance >= 0.17
	}
	return chance >= 0.35 && digits >= 3
}

// kind is l, u or d for a letter in lower or upper case or a digit, s for what separates them.
func kind(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z':
		return 'l'
	case c >= 'A' && c <= 'Z':
		return 'u'
	case c >= '0' && c <= '9':
		return 'd'
	}
	return 's'
}

var uuid = regexp.MustCompile(`[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}`)

func isUUID(run string) bool { return uuid.MatchString(run) }

var hexes = regexp.MustCompile(`[0-9A-Fa-f]{32,}`)

func hexadecimal(run string) bool { return hexes.MatchString(run) }
