// Package protocol lists the protocols that upstreams and clients may speak; each has a package below.
package protocol

import (
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
)

// Protocol is a protocol that this gateway speaks.
type Protocol struct {
	// Name is the name in configs: of an upstream's protocol, and of the stream format in which its chunks pass.
	Name  string
	Front llm.Front
	// Prefix is the path of the endpoints for clients that speak it; empty if it has none.
	Prefix string
	// Has reports whether an upstream that speaks it has one of its endpoints.
	Has func(u *config.Upstream, e llm.Endpoint) bool
	// Dialect is the one that such an upstream speaks: the front's, unless it has only another one.
	Dialect func(u *config.Upstream) llm.Dialect
	// Edit makes such an upstream accept a request.
	Edit func(u *config.Upstream, path string, body []byte) ([]byte, error)
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
		Edit: func(u *config.Upstream, path string, body []byte) ([]byte, error) {
			return openai.Edit(u.OpenAI, path, body)
		},
	},
}

// Passes are the endpoints of clients that an upstream has, too; none if it speaks to no models.
func Passes(u *config.Upstream) []llm.Endpoint {
	var passes []llm.Endpoint
	name, _ := u.Protocol()
	for _, p := range All {
		if p.Name != name {
			continue
		}
		for _, e := range p.Front.Endpoints() {
			if p.Has(u, e) {
				passes = append(passes, e)
			}
		}
	}
	return passes
}

// DialectOf returns the dialect of an upstream; nil if it speaks to no models.
func DialectOf(u *config.Upstream) llm.Dialect {
	name, _ := u.Protocol()
	for _, p := range All {
		if p.Name == name {
			return p.Dialect(u)
		}
	}
	return nil
}

// EditOf returns the function that makes an upstream accept requests; nil if it speaks to no models.
func EditOf(u *config.Upstream) func(path string, body []byte) ([]byte, error) {
	name, _ := u.Protocol()
	for _, p := range All {
		if p.Name == name {
			return func(path string, body []byte) ([]byte, error) { return p.Edit(u, path, body) }
		}
	}
	return nil
}

// Formats are the protocols by the names of their stream formats.
func Formats() map[string]llm.Front {
	formats := make(map[string]llm.Front, len(All))
	for _, p := range All {
		formats[p.Name] = p.Front
	}
	return formats
}
