package schema

// answer is what a failed keyword is called, and how it is put into words.
type answer struct {
	// kind is the violation's type: Pydantic's own name wherever it has one.
	kind string
	// message is Pydantic's template for it. {name} stands for a member of ctx, and {s} for the plural of the number
	// before it.
	message string
}

// answers translates JSON Schema's keywords into the error types and messages of Pydantic 2 (its page "Validation
// Errors"; checked against 2.14 under FastAPI 0.165). Keys are keywords; `type`, whose answer depends on the type wanted,
// and keywords that answer differently for arrays and objects have one key for each.
//
// Keywords without an entry of their own answer through others:
//   - allOf, if/then/else, $ref, $dynamicRef, dependentSchemas: what their subschemas say;
//   - anyOf, and oneOf without a match: what those branches say that came closest to what was sent;
//   - propertyNames: what its subschema says, at the name followed by "[key]", as Pydantic does for a dict's keys;
//   - format, contentEncoding, contentMediaType: annotations, which never fail.
//
// Three places differ from Pydantic on purpose: an object is always a dictionary, never a model (dict_type, not
// model_attributes_type); nothing is coerced, so that no …_parsing type exists; and a branch of a union adds nothing to loc,
// as a JSON Schema's branches have no names.
var answers = map[string]answer{
	"type:string":   {"string_type", "Input should be a valid string"},
	"type:integer":  {"int_type", "Input should be a valid integer"},
	"type:fraction": {"int_from_float", "Input should be a valid integer, got a number with a fractional part"},
	"type:number":   {"float_type", "Input should be a valid number"},
	"type:boolean":  {"bool_type", "Input should be a valid boolean"},
	"type:array":    {"list_type", "Input should be a valid list"},
	"type:object":   {"dict_type", "Input should be a valid dictionary"},
	"type:null":     {"none_required", "Input should be None"},

	"enum":  {"literal_error", "Input should be {expected}"},
	"const": {"literal_error", "Input should be {expected}"},

	"required":             {"missing", "Field required"},                         // at the missing field
	"dependentRequired":    {"missing", "Field required"},                         // likewise
	"additionalProperties": {"extra_forbidden", "Extra inputs are not permitted"}, // at the extra field
	"false":                {"extra_forbidden", "Extra inputs are not permitted"}, // the schema `false`, as in unevaluatedProperties

	"minLength": {"string_too_short", "String should have at least {min_length} character{s}"},
	"maxLength": {"string_too_long", "String should have at most {max_length} character{s}"},
	"pattern":   {"string_pattern_mismatch", "String should match pattern '{pattern}'"},

	"minimum":          {"greater_than_equal", "Input should be greater than or equal to {ge}"},
	"exclusiveMinimum": {"greater_than", "Input should be greater than {gt}"},
	"maximum":          {"less_than_equal", "Input should be less than or equal to {le}"},
	"exclusiveMaximum": {"less_than", "Input should be less than {lt}"},
	"multipleOf":       {"multiple_of", "Input should be a multiple of {multiple_of}"},

	"minItems":      {"too_short", "{field_type} should have at least {min_length} item{s} after validation, not {actual_length}"},
	"maxItems":      {"too_long", "{field_type} should have at most {max_length} item{s} after validation, not {actual_length}"},
	"minProperties": {"too_short", "{field_type} should have at least {min_length} item{s} after validation, not {actual_length}"},
	"maxProperties": {"too_long", "{field_type} should have at most {max_length} item{s} after validation, not {actual_length}"},

	// Pydantic has no word for these; the types are ours.
	"uniqueItems": {"items_not_unique", "List items {first} and {second} should not be equal"},
	"contains":    {"contains_too_few", "List should have at least {min_matches} matching item{s}, not {actual_matches}"},
	"maxContains": {"contains_too_many", "List should have at most {max_matches} matching item{s}, not {actual_matches}"},
	"oneOf":       {"one_of_ambiguous", "Input should match exactly one of the allowed forms, not several"},
	"not":         {"not_allowed", "Input should not match the forbidden form"},
	"other":       {"value_error", "Input is not valid"},
}
