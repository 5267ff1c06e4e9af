package flow

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// multipartOf is a multipart body with its header; each part is its headers after the name, an empty line, and its content.
func multipartOf(parts ...string) (body string, header http.Header) {
	for _, part := range parts {
		body += "--b0\r\nContent-Disposition: form-data; name=" + part + "\r\n"
	}
	return body + "--b0--\r\n", http.Header{"Content-Type": {`multipart/form-data; boundary="b0"`}}
}

const urlencodedType = "application/x-www-form-urlencoded"

const formRoute = `{"method":"POST","request":{
	"schema":{"type":"object","required":["title"],"properties":{"title":{"type":"string"},"count":{"type":"integer","default":1},"tags":{"type":"array","items":{"type":"string"}}}},
	"form":{"files":[{"name":"photo","encoding":"Base64","maxBytes":8},{"name":"note"},{"name":"pages","maxItems":2}]}},
	"response":{"body":{"title":"${request.body.title + '!'}","count":"${request.body.count + 1}","tags":"${request.body.?tags.orValue([])}",
		"photo":"${request.body.?photo.orValue({})}","note":"${request.body.?note.text.orValue('none')}","pages":"${request.body.pages.map(p, p.filename + p.text)}"}}}`

// A form's texts are read by their schema, and its files are objects.
func TestFormIsTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, nil, formRoute)
		body, header := multipartOf("title\r\n\r\nA", "count\r\n\r\n 41 ", "tags\r\n\r\nx", "tags\r\n\r\ny",
			"photo; filename=\"p.png\"\r\nContent-Type: image/png\r\n\r\n\xff\x00", "note; filename=n\r\n\r\nold", "note; filename=n\r\n\r\nnew",
			"pages; filename=1\r\n\r\none", "pages; filename=2\r\n\r\n")
		w.wants(w.do(t.Context(), "/", body, header), 200, `{"title":"A!","count":42,"tags":["x","y"],`+
			`"photo":{"base64":"/wA=","contentType":"image/png","filename":"p.png","size":2},"note":"new","pages":["1one","2"]}`)
		least := `{"title":"A!","count":2,"tags":[],"photo":{},"note":"none","pages":[]}`
		w.wants(w.do(t.Context(), "/", "title=%41&count=", http.Header{"Content-Type": {urlencodedType}}), 200, least)
		body, header = multipartOf("title\r\n\r\nA", "photo; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n", "pages; filename=\"\"\r\n\r\n")
		w.wants(w.do(t.Context(), "/", body, header), 200, least)
	})
}

// What is wrong with a form is said at once, at its places in the body; what is not a form is refused as a whole.
func TestFormsAreRefused(t *testing.T) {
	text := func(part string) string { return part + "; filename=f\r\n\r\n" }
	for name, tt := range map[string]struct {
		parts       []string
		body, media string
		status      int
		want        string
	}{
		"missing":               {nil, "", urlencodedType, 422, `{"detail":[{"type":"missing","loc":["body","title"],"msg":"Field required"}]}`},
		"nothing of any type":   {nil, "", "application/json", 422, `"loc":["body","title"]`},
		"JSON":                  {nil, `{"title":"A"}`, "application/json", 415, "must be multipart/form-data or application/x-www-form-urlencoded"},
		"no type":               {nil, `title=A`, "", 415, "must be multipart/form-data"},
		"no integer":            {[]string{"title\r\n\r\nA", "count\r\n\r\nx"}, "", "", 422, `"type":"int_parsing","loc":["body","count"]`},
		"a text for a file":     {[]string{"title\r\n\r\nA", "photo\r\n\r\nx"}, "", "", 422, `"type":"value_error","loc":["body","photo"]`},
		"a file for a text":     {[]string{text("title")}, "", "", 422, `"type":"string_type","loc":["body","title"]`},
		"not UTF-8":             {[]string{"title\r\n\r\nA", text("note") + "\xff"}, "", "", 422, `{"detail":[{"type":"string_unicode","loc":["body","note"],"msg":"Input should be a valid string, unable to parse raw data as a unicode string"}]}`},
		"not UTF-8 in a list":   {[]string{"title\r\n\r\nA", text("pages"), text("pages") + "\xff"}, "", "", 422, `"loc":["body","pages",1]`},
		"more files":            {[]string{"title\r\n\r\nA", text("pages") + "1", text("pages") + "2", text("pages") + "3"}, "", "", 422, `"type":"too_long","loc":["body","pages"]`},
		"a larger file":         {[]string{"title\r\n\r\nA", text("photo") + "123456789"}, "", "", 413, `The file \"photo\" is over the limit of 8 bytes.`},
		"a part without an end": {nil, "--b0\r\nContent-Disposition: form-data; name=title\r\n\r\nA", `multipart/form-data; boundary=b0`, 400, "The form cannot be read: it must be a sequence of parts"},
		"no boundary":           {nil, "x", `multipart/form-data`, 400, "must name a boundary of 1 to 70 characters"},
		"ten thousand fields":   {nil, strings.Repeat("a=&", 10_000), urlencodedType, 400, "more than 1000 fields and files"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{}, nil, formRoute)
				body, header := tt.body, http.Header{"Content-Type": {tt.media}}
				if tt.parts != nil {
					body, header = multipartOf(tt.parts...)
				}
				if g := w.do(t.Context(), "/", body, header); g.status != tt.status || !strings.Contains(g.body, tt.want) {
					t.Errorf("%d %s, want %d %s", g.status, g.body, tt.status, tt.want)
				}
			})
		})
	}
}

// A form without a schema has any fields; one of a stream's route is read before the stream begins.
func TestFormWithoutASchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, settings{}, nil, `{"method":"POST","request":{"form":{}},"response":{"body":"${request.body}"}}`)
		w.wants(w.do(t.Context(), "/", "a=1&b=2&b=3", http.Header{"Content-Type": {urlencodedType}}), 200, `{"a":"1","b":["2","3"]}`)
		w.wants(w.do(t.Context(), "/", "", nil), 200, `{}`)
	})
}

// A file in base64 is the file, whatever its size.
func TestFilesInBase64(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, chunk - 1, chunk, chunk + 1, 2*chunk + 5} {
		content := strings.Repeat("\xfe", size)
		if got, want := inBase64(content), base64.StdEncoding.EncodeToString([]byte(content)); got != want {
			t.Errorf("%d bytes: %d characters, want %d", size, len(got), len(want))
		}
	}
}

// What a form becomes is reserved before it is read: files in base64, and many small fields.
func TestFormsForWhichThereIsNoMemory(t *testing.T) {
	route := `{"method":"POST","request":{"form":{"files":[{"name":"f","encoding":"ENCODING"}]}},"response":{"body":"${size(request.body)}"}}`
	file, header := multipartOf("f; filename=f\r\n\r\n" + strings.Repeat("x", 1000<<10))
	for name, tt := range map[string]struct {
		encoding, body string
		header         http.Header
		status         int
	}{
		"a text":    {"Text", file, header, 200},
		"in base64": {"Base64", file, header, 413},
		"fields":    {"Text", strings.Repeat("&a=1", 999) + "&b=" + strings.Repeat("x", 1000<<10), http.Header{"Content-Type": {urlencodedType}}, 413},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, settings{memory: little}, nil, strings.Replace(route, "ENCODING", tt.encoding, 1))
				g := w.do(t.Context(), "/", tt.body, tt.header)
				if g.status != tt.status || g.status == 413 && !strings.Contains(g.body, "The form holds more than this replica has memory for.") {
					t.Errorf("%d %.300s, want %d", g.status, g.body, tt.status)
				}
				w.rest()
			})
		})
	}
}
