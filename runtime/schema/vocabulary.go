package schema

// Holds is what the value of a keyword holds.
type Holds int

// What values hold. A keyword that no vocabulary of JSON Schema 2020-12 knows, such as OpenAPI's xml or x-…, holds Nothing:
// what looks like a schema in it is not one, until a reference leads to it.
const (
	HoldsNothing Holds = iota // what only the keyword itself gives a meaning to
	HoldsData                 // an instance, or several; what stands in it is never a schema
	HoldsSchema               // one schema
	HoldsList                 // an array of schemas
	HoldsNamed                // an object whose members are schemas
)

// vocabulary is the one list of the keywords that matter to a walk over a schema (JSON Schema Core and Validation 2020-12,
// and the fixed fields of OpenAPI 3.1's Schema Object). The keywords of older drafts are in it as far as the metaschema, and so
// the compiler, still looks for schemas there.
var vocabulary = map[string]Holds{
	"$defs": HoldsNamed, "definitions": HoldsNamed,
	"allOf": HoldsList, "anyOf": HoldsList, "oneOf": HoldsList, "not": HoldsSchema,
	"if": HoldsSchema, "then": HoldsSchema, "else": HoldsSchema,
	"properties": HoldsNamed, "patternProperties": HoldsNamed, "additionalProperties": HoldsSchema,
	"propertyNames": HoldsSchema, "unevaluatedProperties": HoldsSchema,
	"dependentSchemas": HoldsNamed, "dependencies": HoldsNamed,
	"prefixItems": HoldsList, "items": HoldsSchema, "additionalItems": HoldsSchema,
	"contains": HoldsSchema, "unevaluatedItems": HoldsSchema, "contentSchema": HoldsSchema,

	"default": HoldsData, "const": HoldsData, "enum": HoldsData, "examples": HoldsData, "example": HoldsData,
	"discriminator": HoldsData,
}

// Holding returns what the value of a keyword holds.
func Holding(keyword string) Holds { return vocabulary[keyword] }
