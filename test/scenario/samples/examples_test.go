package samples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/test/seed"
)

// TestExamplesAreAccepted sends the examples of /openapi.json to the gateway that describes itself so, for each sample and the manifests
// of other tests: those of all that a request may have, and those of what it must have. The schema of none may refuse one. A body of another
// test may have no example, because none was found that its patterns and unions accept.
func TestExamplesAreAccepted(t *testing.T) {
	seed := seed.Of(t)
	files := map[string]bool{"test/oracle/service.yaml": false, "controllers/render/testdata/full.yaml": false, "test/scenario/samples/testdata/edges.yaml": false}
	for _, s := range All() {
		files[s.File()] = true
	}
	for file, sample := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			c := admitting(t, file, seed)
			client := &http.Client{
				Timeout: within, Transport: &http.Transport{},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			defer client.CloseIdleConnections()
			d := documentOf(t, client, c.url)
			asked := 0
			for path, operations := range d.Paths {
				for method, o := range operations {
					if strings.HasPrefix(path, "/v1/") {
						continue // whose endpoints have no schemas of the manifest's
					}
					for _, all := range []bool{true, false} {
						asked++
						if o.hasExample() {
							d.tries(t, client, &o, strings.ToUpper(method), c.url+path, all)
						} else if sample {
							t.Errorf("%s %s: the body has no example", method, path)
						}
					}
				}
			}
			if asked < 2*len(c.Routes) {
				t.Errorf("%d requests to %d routes", asked, len(c.Routes))
			}
		})
	}
}

// document is as much of an OpenAPI document as requests are made of.
type document struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schemaOfForm `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Parameters []struct {
		Name     string `json:"name"`
		In       string `json:"in"`
		Required bool   `json:"required"`
		Example  any    `json:"example"`
	} `json:"parameters"`
	RequestBody *struct {
		Content map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			} `json:"schema"`
			Example json.RawMessage `json:"example"`
		} `json:"content"`
	} `json:"requestBody"`
}

// hasExample reports whether each form of the body that has a schema has an example.
func (o *operation) hasExample() bool {
	if o.RequestBody != nil {
		for _, content := range o.RequestBody.Content {
			if content.Example == nil && content.Schema.Ref != "" {
				return false
			}
		}
	}
	return true
}

// schemaOfForm has the fields of a form, some of which are files.
type schemaOfForm struct {
	Properties map[string]json.RawMessage `json:"properties"`
}

func documentOf(t *testing.T, client *http.Client, at string) *document {
	t.Helper()
	resp, err := client.Get(at + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	d := &document{}
	decoder := json.NewDecoder(resp.Body)
	decoder.UseNumber()
	if err := decoder.Decode(d); err != nil {
		t.Fatal(err)
	}
	return d
}

// tries sends one request, with all that has an example or with what is required alone.
func (d *document) tries(t *testing.T, client *http.Client, o *operation, method, at string, all bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{}
	for _, p := range o.Parameters {
		if p.Example == nil {
			t.Errorf("%s %s: the parameter %s has no example", method, at, p.Name)
			continue
		}
		if !all && !p.Required {
			continue
		}
		texts := texts(p.Example)
		switch p.In {
		case "path":
			at = strings.Replace(at, "{"+p.Name+"}", url.PathEscape(texts[0]), 1)
		case "query":
			query[p.Name] = texts
		case "header":
			req.Header[textproto.CanonicalMIMEHeaderKey(p.Name)] = texts
		case "cookie":
			req.AddCookie(&http.Cookie{Name: p.Name, Value: texts[0]})
		}
	}
	if o.RequestBody != nil {
		for media, content := range o.RequestBody.Content {
			if content.Example != nil {
				d.write(t, req, media, content.Schema.Ref, content.Example)
			}
		}
	}
	if req.URL, err = url.Parse(at + "?" + query.Encode()); err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || refused[resp.StatusCode] && !answersItself[fmt.Sprint(method, " ", req.URL.Path, " ", resp.StatusCode)] && !byExpressions(answer) {
		t.Errorf("%s %s %v: %d %.500s (%v)", method, req.URL, req.Header, resp.StatusCode, answer, err)
	}
}

// refused are the statuses by which a gateway refuses a request.
var refused = map[int]bool{
	http.StatusBadRequest: true, http.StatusNotFound: true, http.StatusRequestEntityTooLarge: true,
	http.StatusUnsupportedMediaType: true, http.StatusUnprocessableEntity: true,
}

// answersItself are answers of routes that look like those of a check.
var answersItself = map[string]bool{"GET /missing/1 404": true}

// byExpressions reports whether only expressions refused a request, of whose needs its schema knows nothing.
func byExpressions(answer []byte) bool {
	var refusal struct {
		Detail []struct {
			Msg string `json:"msg"`
		} `json:"detail"`
	}
	if err := json.Unmarshal(answer, &refusal); err != nil || len(refusal.Detail) == 0 {
		return false
	}
	for _, violation := range refusal.Detail {
		if !strings.HasPrefix(violation.Msg, "Value error, an expression of this route") {
			return false
		}
	}
	return true
}

// write makes the body of an example.
func (d *document) write(t *testing.T, req *http.Request, media, ref string, example json.RawMessage) {
	t.Helper()
	var body bytes.Buffer
	switch media {
	default:
		body.Write(example)
	case "application/x-www-form-urlencoded":
		fields := url.Values{}
		for name, value := range fieldsOf(t, example) {
			fields[name] = texts(value)
		}
		body.WriteString(fields.Encode())
	case "multipart/form-data":
		w := multipart.NewWriter(&body)
		properties := d.Components.Schemas[ref[strings.LastIndexByte(ref, '/')+1:]].Properties
		for name, value := range fieldsOf(t, example) {
			header := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, name)}}
			if bytes.Contains(properties[name], []byte("contentMediaType")) {
				header.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q; filename="example"`, name))
			}
			for _, text := range texts(value) {
				part, err := w.CreatePart(header)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(part, text)
			}
		}
		_ = w.Close()
		media = w.FormDataContentType()
	}
	req.Header.Set("Content-Type", media)
	req.Body, req.ContentLength = io.NopCloser(&body), int64(body.Len())
}

func fieldsOf(t *testing.T, example json.RawMessage) map[string]any {
	t.Helper()
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(example))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// texts are those of a value outside of JSON, one for each item of a list.
func texts(value any) []string {
	if items, ok := value.([]any); ok {
		var all []string
		for _, item := range items {
			all = append(all, texts(item)...)
		}
		return all
	}
	return []string{fmt.Sprint(value)}
}
