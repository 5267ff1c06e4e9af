package samples

import (
	"bytes"
	"mime/multipart"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
)

// formOf is an object as a form, with each file that the form may have.
func formOf(t *testing.T, form *config.Form, object jsontext.Value) (body []byte, media string) {
	t.Helper()
	var encoded bytes.Buffer
	w := multipart.NewWriter(&encoded)
	var fields map[string]jsontext.Value
	if err := json.Unmarshal(object, &fields); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	for name, value := range fields {
		values := []jsontext.Value{value}
		if value.Kind() == '[' {
			if err := json.Unmarshal(value, &values); err != nil {
				t.Fatalf("%s: %v", value, err)
			}
		}
		for _, item := range values {
			if err := w.WriteField(name, asText(item)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range form.Files {
		file, err := w.CreateFormFile(form.Files[i].Name, "file.txt")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(object); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes(), w.FormDataContentType()
}
