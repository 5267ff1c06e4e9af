// Package protocol lists the protocols that upstreams and clients may speak; each has a package below.
package protocol

import (
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
)

// Protocol is a protocol that this gateway speaks.
type Protocol struct {
	// Name is the name in configs: of an upstream's protocol, and of the stream format in which its chunks pass.
	Name  string
	Front llm.Front
	// Prefix is the path of the endpoints for clients that speak it; empty if it has none.
	Prefix string
	// Has reports whether an upstream that speaks it has one of its endpoints; nil if each has all.
	Has func(u *config.Upstream, e llm.Endpoint) bool
	// Dialect is the one that such an upstream speaks; nil for the front's.
	Dialect func(u *config.Upstream) llm.Dialect
	// Edit makes such an upstream accept a request; nil if each accepts all.
	Edit func(u *config.Upstream, path string, body pieces.Text) (pieces.Text, error)
}

// All are the protocols.
var All = []Protocol{
	{
		Name: config.ProtocolOpenAI, Front: openai.Dialect{}, Prefix: "/v1",
		Has: func(u *config.Upstream, e llm.Endpoint) bool { return u.OpenAI.Has(openai.APIs[e]) },
		Dialect: func(u *config.Upstream) llm.Dialect {
			if !u.OpenAI.Has(config.APIChatCompletions) && u.OpenAI.Has(config.APIResponses) {
				return openai.Responses{}
			}
			return openai.Dialect{}
		},
		Edit: func(u *config.Upstream, path string, body pieces.Text) (pieces.Text, error) {
			return openai.Edit(u.OpenAI, path, body)
		},
	},
}

// of returns the protocol of an upstream; false if it speaks to no models.
func of(u *config.Upstream) (p Protocol, models bool) {
	name, _ := u.Protocol()
	i := slices.IndexFunc(All, func(p Protocol) bool { return p.Name == name })
	if i < 0 {
		return Protocol{}, false
	}
	return All[i], true
}

// Passes are the endpoints of clients that an upstream has, too; none if it speaks to no models.
func Passes(u *config.Upstream) []llm.Endpoint {
	p, models := of(u)
	if !models {
		return nil
	}
	return slices.DeleteFunc(p.Front.Endpoints(), func(e llm.Endpoint) bool { return p.Has != nil && !p.Has(u, e) })
}

// DialectOf returns the dialect of an upstream; nil if it speaks to no models.
func DialectOf(u *config.Upstream) llm.Dialect {
	p, models := of(u)
	if models && p.Dialect != nil {
		return p.Dialect(u)
	}
	return p.Front
}

// EditOf returns the function that makes an upstream accept requests; nil if it accepts all.
func EditOf(u *config.Upstream) func(path string, body pieces.Text) (pieces.Text, error) {
	p, _ := of(u)
	if p.Edit == nil {
		return nil
	}
	return func(path string, body pieces.Text) (pieces.Text, error) { return p.Edit(u, path, body) }
}

// Formats are the protocols by the names of their stream formats.
func Formats() map[string]llm.Front {
	formats := make(map[string]llm.Front, len(All))
	for _, p := range All {
		formats[p.Name] = p.Front
	}
	return formats
}
