package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Unescaped is a member's name as programs see it, of one that stands in a valid document.
func Unescaped(raw []byte) string {
	if !strings.Contains(string(raw), `\`) {
		return string(raw)
	}
	quoted := append(append([]byte{'"'}, raw...), '"')
	name, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return string(raw) // half a surrogate pair, of which no name that anybody reads has one
	}
	return string(name)
}

// Text is what a JSON string says; null says nothing. A value of another type is an error.
func Text(value []byte) (string, error) {
	if IsNull(value) {
		return "", nil
	}
	if value[0] != '"' {
		return "", errors.New("want a string or null")
	}
	unquoted, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return "", fmt.Errorf("read string: %w", err)
	}
	return string(unquoted), nil
}

// MaxCount is more than any answer has of anything, and small enough to be added up.
const MaxCount = 1 << 40

// Count reads a number from 0 up, also if it is a string, or has a fraction of zeros; anything else gives the
// number otherwise.
func Count(value []byte, otherwise int) int {
	text := bytes.Trim(value, `"`)
	if n, err := strconv.Atoi(string(text)); err == nil && n >= 0 {
		return n
	}
	if f, err := strconv.ParseFloat(string(text), 64); err == nil && f >= 0 && f <= MaxCount && f == float64(int(f)) {
		return int(f)
	}
	return otherwise
}
