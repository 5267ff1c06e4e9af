package openai

import (
	"slices"
	"strings"
	"unicode"

	"github.com/llmservice/llmservice/runtime/problem"
)

// variantOf returns the decisive member that a name stands for if an upstream reads names loosely; "" if there is none. Servers
// in Go, Java and .NET may take "Model", "\u017ftream" or "streamOptions" for a member that this gateway has read in another
// spelling, and would then do something that it has not allowed.
func (d *decisive) variantOf(name string) string {
	if i := slices.Index(d.folded, loosely(name)); i >= 0 {
		return d.names[i]
	}
	return ""
}

// loosely folds case as Unicode's simple mappings do in either direction, and leaves out characters that join words.
func loosely(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, name)
}

func misspelt(name, meant string) *problem.Error {
	const message = "A member's name is not spelled as in the API: it must be "
	e := problem.New(problem.InvalidRequest).WithMessage(message + "\"" + meant + "\".")
	if e.Param = name; len(name) > 2*len(meant) { // there may be any number of dashes
		e.Param = meant
	}
	return e
}
