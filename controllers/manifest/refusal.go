package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// forms say in words what the definition's patterns match, with an example: few people read patterns in an error.
var forms = formsOf(
	form{
		`^(/\.?[-_@:+=~a-zA-Z0-9][-._@:+=~a-zA-Z0-9]*)+$`,
		"an absolute path without .., of letters, digits and -._@:+=~, such as /mnt/secrets-store/openai",
	},
	form{
		`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`,
		"letters, digits, dashes, dots and underscores, such as team-a",
	},
	form{
		`^[a-z]([a-z0-9]|-[a-z0-9])*$`,
		"a lowercase letter, then lowercase letters and digits, with single dashes between them, such as grpc-web",
	},
	form{
		`^([0-9]{1,5}(h|m|s|ms)){1,4}$`,
		"integers with a unit of h, m, s or ms, such as 300ms, 10s or 1m30s",
	},
	form{
		`^[A-Za-z][A-Za-z0-9_]*$`,
		"a letter, then letters, digits and underscores, such as find_documents",
	},
	form{
		`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`,
		"lowercase letters, digits and dashes, such as big-model",
	},
	form{
		`^[A-Za-z][-A-Za-z0-9_]*$`,
		"a letter, then letters, digits, dashes and underscores, such as list-tickets",
	},
	form{
		`^[A-Za-z_][-A-Za-z0-9_.]*$`,
		"a letter, then letters, digits, dashes, dots and underscores, such as page_size",
	},
	form{
		`^[A-Za-z0-9][-A-Za-z0-9._:/@+]*$`,
		"a letter or a digit, then also any of -._:/@+, such as org/model-8b:free",
	},
	form{
		`^[-!#$%&'*+.^_\x60|~0-9A-Za-z]+$`,
		"the name of a header, such as X-Api-Key",
	},
	form{
		`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`,
		"the name of an object, such as model-keys",
	},
	form{
		`^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$`,
		"the name of a host, such as model.example.com",
	},
	form{
		`^([-_a-zA-Z0-9]|\.[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$`,
		"letters, digits, dashes, dots and underscores, such as api-key",
	},
	form{
		`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`,
		"the value of a label, such as infra",
	},
	form{
		`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`,
		"the name of a host, such as assistant.example.com or *.example.com",
	},
	form{
		`^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`,
		"a kind, such as Gateway",
	},
	form{
		`^/`,
		"a path that begins with a slash, such as /search",
	},
	form{
		`^https?://`,
		"a URL, such as http://model.team-a.svc:8000/v1",
	},
	form{
		`^[0-9]{1,9}(\.[0-9]{1,9})?$`,
		`a number in quotes, such as "0.25"`,
	},
	form{
		`^(/|(/(\.?[-A-Za-z0-9_~][-A-Za-z0-9._~]*|\{[A-Za-z][A-Za-z0-9_]{0,62}\}))+)$`,
		"a path, such as /answer or /users/{id}",
	},
	form{
		`^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`,
		"a quantity, such as 500m, 2 or 4Gi",
	},
)

type form struct{ pattern, words string }

func formsOf(all ...form) map[string]string {
	words := map[string]string{}
	for _, f := range all {
		words[f.pattern] = f.words
	}
	return words
}

var (
	inBody    = regexp.MustCompile(`^\S* in body `)
	wantsType = regexp.MustCompile(`^must be of type (\w+): "(\w+)"$`)
	pattern   = regexp.MustCompile(`, regex used for validation is '[^']*'`)
	matches   = regexp.MustCompile(`^should match '(.*)'$`)
)

// refused says what an API server does not take of a field, in words for those who write manifests: the field's own value, what is
// allowed, and an example. The path is empty for the object itself.
func (d *document) refused(e *field.Error) Mistake {
	path, detail := e.Field, pattern.ReplaceAllString(inBody.ReplaceAllString(e.Detail, ""), "")
	if path == "<nil>" { // which a rule of the whole object is at
		path = ""
		if rest, isName := strings.CutPrefix(detail, "metadata.name "); isName {
			path, detail = "metadata.name", rest
		}
	}
	return d.locate(path, d.refusal(e, path, detail))
}

func (d *document) refusal(e *field.Error, path, detail string) string {
	value := d.shown(path)
	if bad, ok := e.BadValue.(string); ok && value == "" && strings.HasPrefix(path, "metadata.") {
		value = fmt.Sprintf("%q ", bad) // of a label or an annotation, whose name no path has
	}
	if types := wantsType.FindStringSubmatch(detail); types != nil {
		return fmt.Sprintf("%sis of type %s, want %s", value, types[2], types[1])
	}
	switch e.Type {
	case field.ErrorTypeRequired:
		return strings.TrimSuffix("is required: "+detail, ": ")
	case field.ErrorTypeNotSupported:
		return value + "is not allowed, want one of " + strings.TrimPrefix(detail, "supported values: ")
	case field.ErrorTypeDuplicate:
		return duplicate(e.BadValue)
	case field.ErrorTypeTooMany, field.ErrorTypeTooLong:
		return "is too long: " + detail
	case field.ErrorTypeForbidden:
		return "is not allowed: " + detail
	default:
		return invalid(value, detail)
	}
}

// undecoded names the member of the metadata that has a value of another type than the API's, or that has one in it.
func (d *document) undecoded(err error) Mistake {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return d.locate("metadata", "cannot be read, want an object such as {name: support-bot}")
	}
	path := "metadata"
	if wrong.Field != "" {
		path += "." + wrong.Field
	}
	message := fmt.Sprintf("has a value of type %s, want %s", wrong.Value, typeName(wrong.Type))
	if wrong.Type.Kind() == reflect.String {
		message += " in quotes"
	}
	return d.locate(path, message)
}

// typeName is what JSON Schema calls a type.
func typeName(t reflect.Type) string {
	switch t.Kind() { //nolint:exhaustive // metadata has no others
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Slice:
		return "array"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "integer"
	}
	return "string"
}

// invalid are the words for a value, which may be too long to be shown, that breaks its pattern, a bound or a rule.
func invalid(value, detail string) string {
	if pattern := matches.FindStringSubmatch(detail); pattern != nil {
		words, known := forms[pattern[1]]
		if !known {
			words = "text that matches " + pattern[1]
		}
		return value + "is not valid, want " + words
	}
	switch {
	case value == "":
		return detail
	case strings.HasPrefix(detail, "want "):
		return value + "is not valid, " + detail
	}
	return value + "is not valid: " + detail
}

// shown is a field's value as it stands in the file, with a blank after it; empty if it is not one word.
func (d *document) shown(path string) string {
	at := d.find(path)
	value := resolved(at.value)
	if !at.found || value == nil || value.Kind != yaml.ScalarNode || len(value.Value) > maxShown {
		return ""
	}
	if value.ShortTag() == "!!str" {
		return fmt.Sprintf("%q ", value.Value)
	}
	return value.Value + " "
}

// maxShown bounds a value that a message repeats, in bytes.
const maxShown = 100

// duplicate names the item that a list already has: by its name, if that is all that it has to differ in.
func duplicate(value any) string {
	if keys, ok := value.(map[string]any); ok && len(keys) == 1 {
		for key, value := range keys {
			return fmt.Sprintf("%s %q is already in the list, want a different one for each item", key, fmt.Sprint(value))
		}
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return "is already in the list, want different items"
	}
	return fmt.Sprintf("%s is already in the list, want different items", encoded)
}
