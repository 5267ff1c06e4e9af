package program

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// bodied are the methods whose requests have a body by custom (RFC 9110, section 9.3).
var bodied = []string{"POST", "PUT", "PATCH"}

// form reads how a form is read, and returns the type of its fields and files.
func (v *validator) form(path string, r *Route, options []schema.Option) expr.Type {
	here, files := path+".form", r.Request.Form.Files
	if slices.Contains(config.Methods, r.Method) && !slices.Contains(bodied, r.Method) {
		v.addf(here, "is for requests with a body, which %s does not have; want one of the methods %s", r.Method,
			strings.Join(bodied, ", "))
	}
	if r.Request.AllowAnyContentType {
		v.addf(path+".allowAnyContentType", "reads any body as JSON, want false next to form")
	}
	named := len(files) <= config.MaxFiles
	if !named {
		v.addf(here+".files", "are %d, want at most %d", len(files), config.MaxFiles)
	}
	for i := range files {
		named = v.file(config.Item(here+".files", i), files, i) && named
	}
	if !named || !v.affords(path+".schema") {
		return expr.Dyn
	}
	merged, err := formSchema(r.Request.Schema, files)
	if err != nil {
		v.addf(path+".schema", "%v", err)
		return expr.Dyn
	}
	compiled, err := schema.CompileForm(merged, lists(files), options...)
	if err != nil {
		v.broken(path+".schema", err)
		return expr.Dyn
	}
	v.automata += compiled.Automata()
	r.Fields, r.Body = compiled, compiled.Schema()
	return expr.FromSchema(r.Body).With(fileTypes(files))
}

// file checks one file. It reports whether its name can be a member of the form's schema.
func (v *validator) file(path string, files []config.FormFile, i int) (named bool) {
	f := &files[i]
	switch {
	case f.Name == "":
		v.addf(path+".name", "is required")
	case slices.ContainsFunc(files[:i], func(o config.FormFile) bool { return o.Name == f.Name }):
		v.addf(path+".name", "%q is the name of another file, want a name of its own", f.Name)
	default:
		named = true
	}
	if encodings := []string{"", config.FileText, config.FileBase64}; !slices.Contains(encodings, f.Encoding) {
		v.addf(path+".encoding", "%q, want one of %s", f.Encoding, strings.Join(encodings[1:], ", "))
	}
	if limit := int(v.source.Runtime.BodyLimit()); f.MaxBytes < 0 || f.MaxBytes > limit {
		v.addf(path+".maxBytes", "is %d bytes, want 1 to %d, which is runtime.requestBodyLimit", f.MaxBytes, limit)
	}
	if f.MaxItems != 0 {
		v.between(path+".maxItems", f.MaxItems, 1, config.MaxFiles)
	}
	return named
}

// lists says of each file whether it is a list.
func lists(files []config.FormFile) map[string]bool {
	all := map[string]bool{}
	for i := range files {
		all[files[i].Name] = files[i].MaxItems > 0
	}
	return all
}

// fileTypes are the types of files, as templates see them.
func fileTypes(files []config.FormFile) map[string]expr.Type {
	all := map[string]expr.Type{}
	for i := range files {
		f := &files[i]
		t := expr.Object(map[string]expr.Type{
			"filename": expr.String, "contentType": expr.String, "size": expr.Int, f.Member(): expr.String,
		})
		switch {
		case f.MaxItems > 0:
			t = expr.List(t)
		case !f.Required:
			t = expr.Optional(t)
		}
		all[f.Name] = t
	}
	return all
}

// formSchema is the schema of a form with its files, which are strings there, as FastAPI describes them. A list of files that may
// be absent is empty then.
func formSchema(raw jsontext.Value, files []config.FormFile) (jsontext.Value, error) {
	if raw == nil {
		raw = jsontext.Value(`{"type":"object"}`)
	}
	if len(files) == 0 {
		return raw, nil
	}
	var whole, properties map[string]jsontext.Value
	var required []string
	if json.Unmarshal(raw, &whole) != nil || json.Unmarshal(orElse(whole["properties"], "{}"), &properties) != nil ||
		json.Unmarshal(orElse(whole["required"], "[]"), &required) != nil {
		return nil, errors.New("is not the schema of an object, want one such as {type: object, properties: {title: {type: string}}}")
	}
	properties = maps.Clone(properties)
	for i := range files {
		f := &files[i]
		if properties[f.Name] != nil {
			return nil, fmt.Errorf("has a property %q, which is a file; want it in form.files only", f.Name)
		}
		member, err := json.Marshal(fileSchema(f), json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("describe the file %s: %w", f.Name, err)
		}
		if properties[f.Name] = member; f.Required && !slices.Contains(required, f.Name) {
			required = append(required, f.Name)
		}
	}
	return withMembers(whole, properties, required)
}

func orElse(raw jsontext.Value, instead string) jsontext.Value {
	if raw == nil {
		return jsontext.Value(instead)
	}
	return raw
}

func fileSchema(f *config.FormFile) map[string]any {
	one := map[string]any{"type": "string", "contentMediaType": "application/octet-stream"}
	described := one
	if f.MaxItems > 0 {
		described = map[string]any{"type": "array", "items": one, "maxItems": f.MaxItems}
		if !f.Required {
			described["default"] = []any{}
		}
	}
	if f.Description != "" {
		described["description"] = f.Description
	}
	return described
}

func withMembers(whole, properties map[string]jsontext.Value, required []string) (jsontext.Value, error) {
	var err error
	if whole["properties"], err = json.Marshal(properties, json.Deterministic(true)); err != nil {
		return nil, fmt.Errorf("write its properties: %w", err)
	}
	if len(required) > 0 {
		if whole["required"], err = json.Marshal(required); err != nil {
			return nil, fmt.Errorf("write what is required: %w", err)
		}
	}
	merged, err := json.Marshal(whole, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write it with its files: %w", err)
	}
	return merged, nil
}
