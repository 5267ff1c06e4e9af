package schema

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/llmservice/llmservice/runtime/problem"
)

// CheckAnswer is CheckText for what is going to be sent, and gives the text to send: with defaults written out, which readers
// of the schema take to be there, and without what a set has twice. If nothing changes it is the text itself, byte
// for byte.
func (s *Schema) CheckAnswer(ctx context.Context, text []byte, at ...any) ([]byte, []problem.Violation, error) {
	doc, wrong, err := s.document(NewWorkBudget(ctx), text, at, s.fill)
	if err != nil || len(wrong) > 0 {
		return nil, wrong, err
	}
	sent, err := doc.written(text)
	return sent, nil, err
}

// written is the document as it is to be sent, which is the text that it was read from if nothing has changed.
func (d *document) written(text []byte) ([]byte, error) {
	if !d.changed {
		return text, nil
	}
	return encode(d.value)
}

// CheckAsSent is CheckText for what has been sent already: it checks the text as it stands, without its defaults.
func (s *Schema) CheckAsSent(ctx context.Context, text []byte, at ...any) ([]problem.Violation, error) {
	_, wrong, err := s.document(NewWorkBudget(ctx), text, at, nil)
	return wrong, err
}

// encode writes a value as compact JSON, names sorted, and numbers as they were written, if they are kept so.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err //nolint:wrapcheck // it was decoded, so that it never fails
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
