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
	return s.answer(ctx, text, at, func(*document, *WorkBudget) error { return nil })
}

// answer checks a text and changes what is valid before it is written.
func (s *Schema) answer(
	ctx context.Context, text []byte, at []any, change func(*document, *WorkBudget) error,
) ([]byte, []problem.Violation, error) {
	w := NewWorkBudget(ctx)
	doc, wrong, err := s.read(w, text, at)
	if err != nil || len(wrong) > 0 {
		return nil, wrong, err
	}
	if wrong, err = s.judge(w, &doc, text, at, s.fill); err != nil || len(wrong) > 0 {
		return nil, wrong, err
	}
	w = w.again(doc.bytes)
	if err := change(&doc, w); err != nil {
		return nil, []problem.Violation{refused(at, err)}, w.interrupted()
	}
	if !doc.changed {
		return text, nil, nil
	}
	filled, err := encode(doc.value)
	return filled, nil, err
}

// CheckAsSent is CheckText for what has been sent already: it checks the text as it stands, without its defaults.
func (s *Schema) CheckAsSent(ctx context.Context, text []byte, at ...any) ([]problem.Violation, error) {
	w := NewWorkBudget(ctx)
	doc, wrong, err := s.read(w, text, at)
	if err != nil || len(wrong) > 0 {
		return wrong, err
	}
	return s.judge(w, &doc, text, at, nil)
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
