package schema

import (
	"errors"
	"net"
	"slices"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/net/idna"

	"github.com/llmservice/llmservice/runtime/pattern"
)

// assertFormats makes formats rules. The library knows those of the draft but the internationalized ones of e-mail and host
// names, and two that are not the draft's.
func assertFormats(c *jsonschema.Compiler) {
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "idn-hostname", Validate: ofText(idnHostname)})
	c.RegisterFormat(&jsonschema.Format{Name: "idn-email", Validate: ofText(idnEmail)})
	for _, foreign := range []string{"period", "semver"} {
		c.RegisterFormat(&jsonschema.Format{Name: foreign, Validate: func(any) error { return nil }})
	}
}

// replaceRegexFormat keeps the compiler's engine, which counts the patterns of the schema, out of the strings of bodies.
func (g *graph) replaceRegexFormat() {
	for _, n := range g.nodes {
		if f := n.schema.Format; f != nil && f.Name == "regex" {
			n.schema.Format = &jsonschema.Format{Name: f.Name, Validate: ofText(regex)}
		}
	}
}

func regex(source string) error {
	_, err := pattern.Parse(source)
	return err
}

// regexCost is what reading a regular expression takes, in steps of matching, for each unit of its weight and eight bytes.
const regexCost = 128

// longestOf has formats of which no value is longer, in bytes. What follows in the text would only be work.
var longestOf = map[string]int{
	"uuid": 36, "ipv4": 15, "ipv6": 64, "date": 10, "time": 256, "date-time": 256, "duration": 256, "hostname": 254, "email": 320,
	"idn-hostname": 1024, "idn-email": 2048, "regex": pattern.MaxBytes,
	"json-pointer": 64 << 10, "relative-json-pointer": 64 << 10, "uri-template": 64 << 10,
}

func ofText(validate func(string) error) func(any) error {
	return func(v any) error {
		if text, ok := v.(string); ok {
			return validate(text)
		}
		return nil
	}
}

var internationalized = idna.New(
	idna.MapForLookup(), idna.BidiRule(), idna.ValidateLabels(true), idna.CheckHyphens(true), idna.CheckJoiners(true),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.Transitional(false),
)

var errFormat = errors.New("not of this format")

// idnHostname holds a name against RFC 5891, section 5. What package idna leaves out are the characters that RFC 5892, section
// 2.6, disallows by name, and those that its appendix A allows in some contexts only.
func idnHostname(name string) error {
	if _, err := internationalized.ToASCII(name); err != nil {
		return err
	}
	for label := range strings.SplitSeq(name, ".") {
		runes := []rune(label)
		for i, r := range runes {
			if allowed, ok := contextual[r]; ok && !allowed(runes, i) {
				return errFormat
			}
		}
	}
	return nil
}

// contextual has the characters that may stand in a label only where the function agrees.
var contextual = map[rune]func(label []rune, i int) bool{
	'\u00b7': func(label []rune, i int) bool { return is(label, i-1, isL) && is(label, i+1, isL) }, // MIDDLE DOT, in Catalan
	'\u0375': func(label []rune, i int) bool { return is(label, i+1, in(unicode.Greek)) },          // GREEK LOWER NUMERAL SIGN
	'\u05f3': func(label []rune, i int) bool { return is(label, i-1, in(unicode.Hebrew)) },         // HEBREW GERESH
	'\u05f4': func(label []rune, i int) bool { return is(label, i-1, in(unicode.Hebrew)) },         // HEBREW GERSHAYIM
	'\u30fb': func(label []rune, _ int) bool { // KATAKANA MIDDLE DOT
		return slices.ContainsFunc(label, in(unicode.Hiragana, unicode.Katakana, unicode.Han))
	},
	'\u0640': never, '\u07fa': never, '\u302e': never, '\u302f': never, '\u303b': never,
	'\u3031': never, '\u3032': never, '\u3033': never, '\u3034': never, '\u3035': never,
}

func never([]rune, int) bool { return false }

func is(label []rune, i int, kind func(rune) bool) bool {
	return i >= 0 && i < len(label) && kind(label[i])
}

func isL(r rune) bool { return r == 'l' }

func in(scripts ...*unicode.RangeTable) func(rune) bool {
	return func(r rune) bool { return unicode.In(r, scripts...) }
}

// idnEmail holds an address against RFC 6531 in so far as a reader can tell: a part of each kind around the last @.
func idnEmail(address string) error {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at > 64 || strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return errFormat
	}
	domain := address[at+1:]
	if literal, ok := strings.CutPrefix(domain, "["); ok {
		literal = strings.TrimPrefix(strings.TrimSuffix(literal, "]"), "IPv6:")
		if net.ParseIP(literal) == nil {
			return errFormat
		}
		return nil
	}
	return idnHostname(domain)
}

// describeFormat gives the key in answers, and ctx, for a string that is not of a format.
func describeFormat(name string) (keyword string, ctx map[string]any) {
	keyword = "format:" + name
	switch a, ok := answers[keyword]; {
	case !ok:
		return "other", nil
	case strings.Contains(a.message, "{error}"):
		return keyword, map[string]any{"error": "it is not in the form of " + formatSources[name]}
	case strings.Contains(a.message, "{reason}"):
		return keyword, map[string]any{"reason": "It is not in the form of " + formatSources[name] + "."}
	}
	return keyword, nil
}

// formatSources are the standards that a violation of a format names.
var formatSources = map[string]string{
	"date-time": "RFC 3339, section 5.6, date-time",
	"date":      "RFC 3339, section 5.6, full-date",
	"time":      "RFC 3339, section 5.6, full-time",
	"duration":  "RFC 3339, appendix A",
	"email":     "RFC 5321, section 4.1.2",
	"idn-email": "RFC 6531, section 3.3",
	"uri":       "RFC 3986",
	"iri":       "RFC 3987",
	"uuid":      "RFC 4122",
}
