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
// Keywords without an entry answer through others:
//   - allOf, if/then/else, $ref, $dynamicRef, dependentSchemas: what their subschemas say;
//   - anyOf, and oneOf without a match: what those branches say that came closest to what was sent;
//   - propertyNames: what its subschema says, at the name followed by "[key]", as Pydantic does for a dict's keys;
//   - contentEncoding, contentMediaType, contentSchema: annotations, which never fail;
//   - format: one key for each format, where formats are asserted.
//
// Keys that begin with "parse:" are for texts that stand for no value of the type wanted: parameters, fields of forms, and texts in
// JSON where another type is due. In JSON nothing is coerced.
//
// Three places differ from Pydantic on purpose: members of an enum class are literals, which have the same schema; a branch
// of a union without a discriminator adds nothing to loc, as a JSON Schema's branches have no names; and what is wrong with
// a date, a URL or the like is said by naming the standard, since Pydantic's parsers accept other forms.
var answers = map[string]answer{
	"type:string":   {"string_type", "Input should be a valid string"},
	"type:integer":  {"int_type", "Input should be a valid integer"},
	"type:fraction": {"int_from_float", "Input should be a valid integer, got a number with a fractional part"},
	"type:number":   {"float_type", "Input should be a valid number"},
	"type:boolean":  {"bool_type", "Input should be a valid boolean"},
	"type:array":    {"list_type", "Input should be a valid list"},
	"type:tuple":    {"tuple_type", "Input should be a valid tuple"},
	"type:set":      {"set_type", "Input should be a valid set"},
	"type:object":   {"dict_type", "Input should be a valid dictionary"},
	"type:model":    {"model_attributes_type", "Input should be a valid dictionary or object to extract fields from"},
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

	"parse:integer": {"int_parsing", "Input should be a valid integer, unable to parse string as an integer"},
	"parse:size":    {"int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"},
	"parse:number":  {"float_parsing", "Input should be a valid number, unable to parse string as a number"},
	"parse:finite":  {"finite_number", "Input should be a finite number"},
	"parse:boolean": {"bool_parsing", "Input should be a valid boolean, unable to interpret input"},

	"unicode": {"string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string"},
	"file":    {"value_error", "Value error, Expected UploadFile, received: <class 'str'>"}, // in a form: FastAPI's own

	// Next to OpenAPI's `discriminator`.
	"tag:missing": {"union_tag_not_found", "Unable to extract tag using discriminator {discriminator}"},
	"tag:wrong": {
		"union_tag_invalid",
		"Input tag '{tag}' found using {discriminator} does not match any of the expected tags: {expected_tags}",
	},
	"tag:unknown": {
		"union_tag_invalid",
		"Input tag found using {discriminator} does not match any of the expected tags: {expected_tags}",
	},

	"format:date-time": {"datetime_from_date_parsing", "Input should be a valid datetime or date, {error}"},
	"format:date":      {"date_from_datetime_parsing", "Input should be a valid date or datetime, {error}"},
	"format:time":      {"time_parsing", "Input should be in a valid time format, {error}"},
	"format:duration":  {"time_delta_parsing", "Input should be a valid timedelta, {error}"},
	"format:uuid":      {"uuid_parsing", "Input should be a valid UUID, {error}"},
	"format:uri":       {"url_parsing", "Input should be a valid URL, {error}"},
	"format:iri":       {"url_parsing", "Input should be a valid URL, {error}"},
	"format:ipv4":      {"ip_v4_address", "Input is not a valid IPv4 address"},
	"format:ipv6":      {"ip_v6_address", "Input is not a valid IPv6 address"},
	"format:email":     {"value_error", "value is not a valid email address: {reason}"},
	"format:idn-email": {"value_error", "value is not a valid email address: {reason}"},
	"format:regex":     {"pattern_regex", "Input should be a valid regular expression"},

	// Pydantic has no types for these formats; value_error is what its own validators in Python would raise.
	"format:hostname":              {"value_error", "value is not a valid hostname"},
	"format:idn-hostname":          {"value_error", "value is not a valid hostname"},
	"format:uri-reference":         {"value_error", "value is not a valid URI reference"},
	"format:iri-reference":         {"value_error", "value is not a valid IRI reference"},
	"format:uri-template":          {"value_error", "value is not a valid URI template"},
	"format:json-pointer":          {"value_error", "value is not a valid JSON pointer"},
	"format:relative-json-pointer": {"value_error", "value is not a valid relative JSON pointer"},

	// Pydantic has no word for these; the types are ours.
	"uniqueItems": {"items_not_unique", "List items {first} and {second} should not be equal"},
	"contains":    {"contains_too_few", "List should have at least {min_matches} matching item{s}, not {actual_matches}"},
	"maxContains": {"contains_too_many", "List should have at most {max_matches} matching item{s}, not {actual_matches}"},
	"oneOf":       {"one_of_ambiguous", "Input should match exactly one of the allowed forms, not several"},
	"not":         {"not_allowed", "Input should not match the forbidden form"},
	"work":        {"value_error", "Input takes too much work to validate"},
	"other":       {"value_error", "Input is not valid"},
}
