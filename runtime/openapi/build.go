// Package openapi describes a service to its clients: an OpenAPI 3.1 document made from its config, and a page
// that shows it.
package openapi

import (
	"cmp"
	_ "embed" // for the parts of the document that no config changes
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
)

// Version is the release of the OpenAPI Specification that documents follow.
const Version = "3.1.0"

// What every document has, what it has if there are routes, and what it has if there are models.
var (
	//go:embed common.json
	commonPart []byte
	//go:embed routes.json
	routesPart []byte
	//go:embed models.json
	modelsPart []byte
)

// document is an OpenAPI Object (OpenAPI 3.1.0, section 4.8.1), as far as one is needed here.
type document struct {
	OpenAPI string `json:"openapi"`
	Info    info   `json:"info"`
	part
}

type info struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Version     string `json:"version"`
}

// infoOf is what the config says of the service; its name and the revision stand in for what it does not say.
func infoOf(c *config.Config, revision string) info {
	said := c.OpenAPI
	if said == nil {
		said = &config.OpenAPIInfo{}
	}
	return info{cmp.Or(said.Title, c.Service.Name), said.Description, cmp.Or(said.Version, revision)}
}

// part is what the files of this package add to a document.
type part struct {
	Paths      members[pathItem] `json:"paths"`
	Components components        `json:"components"`
}

type components struct {
	Schemas       object `json:"schemas,omitempty"`
	Responses     object `json:"responses,omitempty"`
	RequestBodies object `json:"requestBodies,omitempty"`
	Headers       object `json:"headers,omitempty"`
}

// pathItem has the operations of a path by their method, in lower case.
type pathItem = members[jsontext.Value]

// Build describes what a gateway with this program serves, as a JSON document of OpenAPI 3.1: equal configs give equal
// bytes. It describes routes and their bodies, never what is behind them: upstreams, prompts and secrets. The
// document's version is the config's revision, unless the config has one.
func Build(p *program.Program) ([]byte, error) {
	c := p.Config
	encoded, err := config.Encode(c)
	if err != nil {
		return nil, fmt.Errorf("revision of the document: %w", err)
	}
	d := &document{
		OpenAPI: Version,
		Info:    infoOf(c, delivery.Revision(encoded)),
		part:    part{Paths: members[pathItem]{}},
	}
	if len(c.Routes)+len(c.Models) > 0 {
		if err := d.include(commonPart); err != nil {
			return nil, err
		}
	}
	if err := d.addRoutes(p.Routes); err != nil {
		return nil, err
	}
	if err := d.addModels(c.Models); err != nil {
		return nil, err
	}
	return encode(d)
}

// include adds a file of this package to the document.
func (d *document) include(file []byte) error {
	var p part
	if err := json.Unmarshal(file, &p, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("read a part of the document: %w", err)
	}
	d.Paths = append(d.Paths, p.Paths...)
	d.Components.Schemas = append(d.Components.Schemas, p.Components.Schemas...)
	d.Components.Responses = append(d.Components.Responses, p.Components.Responses...)
	d.Components.Headers = append(d.Components.Headers, p.Components.Headers...)
	return nil
}
