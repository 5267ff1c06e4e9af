package config

import (
	"fmt"
	"strings"
)

// FieldError says what is wrong with one field.
type FieldError struct {
	// Path is the field as in routes[0].request.schema; the LLMService's field is the same below spec.
	Path string `json:"path"`
	// Message says what is wrong and what is allowed.
	Message string `json:"message"`
}

// FieldErrorf is the error of the field at a path.
func FieldErrorf(path, format string, args ...any) FieldError {
	return FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
}

func (e FieldError) Error() string { return e.Path + ": " + e.Message }

// Errors is everything that is wrong with a config.
type Errors []FieldError

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "; ")
}

// Item is the path of an item of the list at a path.
func Item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
