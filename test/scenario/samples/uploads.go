package samples

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"reflect"
	"strings"

	"github.com/llmservice/llmservice/test/scenario/streams"
)

// upload takes a document with a form, and refuses one that is no text.
func upload(ctx context.Context, p *Place) error {
	document := scripted(`{"text": "It is short."}`, "A report.")
	status, answer, err := p.sends(ctx, "/summaries", map[string]string{"sentences": " 5 "}, document)
	want := object{"summary": "It is short.", "document": "report.txt", "bytes": float64(len(document))}
	if err != nil {
		return err
	}
	if status != http.StatusOK || !reflect.DeepEqual(answer, want) {
		return fmt.Errorf("answered %d %v, want %v", status, answer, want)
	}
	if err := p.refusesForm(ctx, map[string]string{"sentences": "many"}, document, "int_parsing"); err != nil {
		return err
	}
	return p.refusesForm(ctx, nil, "\xff", "string_unicode")
}

// refusesForm fails unless a form gets a 422 of a type.
func (p *Place) refusesForm(ctx context.Context, fields map[string]string, document, want string) error {
	status, answer, err := p.sends(ctx, "/summaries", fields, document)
	if err != nil {
		return err
	}
	if status != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(answer), want) {
		return fmt.Errorf("answered %d %v, want 422 %s", status, answer, want)
	}
	return nil
}

// sends posts a form with a file, report.txt, in the field document.
func (p *Place) sends(ctx context.Context, target string, fields map[string]string, document string) (int, object, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, text := range fields {
		if err := form.WriteField(name, text); err != nil {
			return 0, nil, fmt.Errorf("write the field %s: %w", name, err)
		}
	}
	file, err := form.CreateFormFile("document", "report.txt")
	if err != nil {
		return 0, nil, fmt.Errorf("write the document: %w", err)
	}
	if _, err := file.Write([]byte(document)); err != nil {
		return 0, nil, fmt.Errorf("write the document: %w", err)
	}
	if err := form.Close(); err != nil {
		return 0, nil, fmt.Errorf("write the form: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+target, &body)
	if err != nil {
		return 0, nil, fmt.Errorf("POST %s: %w", target, err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := streams.NewClient().Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask: %w", err)
	}
	defer res.Body.Close()
	var answer object
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return 0, nil, fmt.Errorf("POST %s: answered %s with what is no JSON object: %w", target, res.Status, err)
	}
	return res.StatusCode, answer, nil
}
