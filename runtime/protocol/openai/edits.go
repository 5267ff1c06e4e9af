package openai

import (
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// tokenLimits are the members of chat completions for the names that a config uses.
var tokenLimits = map[string]string{
	config.LimitMaxTokens:           limits[0],
	config.LimitMaxCompletionTokens: limits[1],
}

// Edit returns the request at a path in the form that the upstream accepts according to its config: without some members, and
// with its own name for the token limit of a chat. All other bytes stay.
func Edit(o *config.OpenAI, path string, body pieces.Text) (pieces.Text, error) {
	limit := tokenLimits[o.TokenLimit]
	if path != chatPath {
		limit = "" // the other endpoints have one name for it
	}
	if limit == "" && len(o.Omit) == 0 {
		return body, nil
	}
	text, given := body.Joined(), ""
	if limit != "" {
		var err error
		if given, err = limited(text, limit); err != nil {
			return nil, err
		}
	}
	edited, err := renamed(text, o.Omit, given, limit)
	return pieces.Text{edited}, err
}

// limited is the member that limits the body's tokens: the one of that name, or the other one; empty if neither is set.
func limited(body []byte, name string) (string, error) {
	var given string
	err := rawjson.MembersSaid(body, func(raw []byte, at rawjson.Span) {
		if member := string(raw); slices.Contains(limits, member) && !rawjson.IsNull(at.Of(body)) && given != name {
			given = member
		}
	})
	return given, err //nolint:wrapcheck // it names what is wrong with the body
}

// renamed leaves out members, and gives the limit its name, if there is one; the other limit is left out.
func renamed(body []byte, omit []string, given, limit string) ([]byte, error) {
	return rawjson.Renamed(body, func(name string) string { //nolint:wrapcheck // it names what is wrong with the body
		switch {
		case slices.Contains(omit, name):
			return ""
		case given == "" || !slices.Contains(limits, name):
			return name
		case name == given:
			return limit
		}
		return ""
	})
}
