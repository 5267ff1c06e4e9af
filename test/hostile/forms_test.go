//go:build hostile && linux

package hostile

import (
	"fmt"
	"strings"
	"testing"
)

const boundary = "xxxxxxxxxxxxxxxx"

// forms are bodies of forms, of which most have more of something than a form may.
var forms = []attack{
	{name: "very-many-parts", requests: lazily(func() []byte {
		return upload(strings.Repeat("--"+boundary+"\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n", 50_000))
	})},
	{name: "very-many-parts-without-headers", requests: lazily(func() []byte {
		return upload(strings.Repeat("--"+boundary+"\r\n\r\n\r\n", 150_000))
	})},
	{name: "as-many-files-as-may-be", accept: []int{200}, requests: lazily(func() []byte {
		return upload(strings.Repeat(part("notes", "; filename=f", strings.Repeat("x", 4000)), 3) + strings.Repeat(part("a", "", "b"), 900))
	})},
	{name: "endless-headers-of-a-part", requests: lazily(func() []byte {
		return upload("--" + boundary + "\r\n" + strings.Repeat("X-A: b\r\n", 400_000))
	})},
	{name: "an-endless-header-of-a-part", requests: lazily(func() []byte {
		return upload("--" + boundary + "\r\nContent-Disposition: form-data; name=" + strings.Repeat("a", 3*mebi))
	})},
	{name: "headers-of-a-part-that-are-folded", requests: lazily(func() []byte {
		return upload("--" + boundary + "\r\nContent-Disposition: form-data;\r\n" + strings.Repeat(" \r\n", 900_000))
	})},
	{name: "a-name-in-very-many-pieces", requests: lazily(func() []byte {
		var pieces strings.Builder
		for i := range 700 {
			fmt.Fprintf(&pieces, ";name*%d=a", i)
		}
		return upload(strings.Repeat(part("a", pieces.String(), ""), 500))
	})},
	{name: "long-names", requests: lazily(func() []byte { return upload(strings.Repeat(part(strings.Repeat("n", 7000), "", ""), 500)) })},
	{name: "parts-within-parts", accept: []int{200}, requests: lazily(func() []byte {
		nested := strings.Repeat("Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n", 60_000)
		return upload(part("a", "", nested))
	})},
	{name: "boundaries-but-for-the-last-byte", accept: []int{200}, requests: lazily(func() []byte {
		return upload(part("a", "", strings.Repeat("\r\n--"+boundary[1:], 190_000)))
	})},
	{name: "line-ends-alone", requests: lazily(func() []byte { return upload(strings.Repeat("\r\n", 2*mebi-100)) })},
	{name: "no-end", requests: lazily(func() []byte {
		return upload("--" + boundary + "\r\nContent-Disposition: form-data; name=a\r\n\r\n" + strings.Repeat("x", 4*mebi-200))
	})},
	{name: "a-large-file", accept: []int{200}, requests: lazily(func() []byte {
		return upload(part("photo", "; filename=f", strings.Repeat("\xff", 3*mebi)))
	})},
	{name: "a-large-file-that-is-not-text", requests: lazily(func() []byte {
		return upload(part("notes", "; filename=f", strings.Repeat("\xff", 3*mebi)))
	})},
	{name: "a-file-above-its-limit", requests: lazily(func() []byte {
		return upload(part("small", "; filename=f", strings.Repeat("x", 3*mebi)))
	})},
	{name: "very-many-fields", requests: lazily(func() []byte { return posted(strings.Repeat("a&", 2*mebi-100)) })},
	{name: "very-many-values-of-a-field", requests: lazily(func() []byte { return posted(strings.Repeat("n=1&", mebi-100)) })},
	{name: "values-that-are-wrong", requests: lazily(func() []byte { return posted(strings.Repeat("n="+strings.Repeat("x", 4000)+"&", 990)) })},
	{name: "a-long-name", requests: lazily(func() []byte { return posted(strings.Repeat("a", 4*mebi-100)) })},
	{name: "nothing-but-escapes", accept: []int{200}, requests: lazily(func() []byte { return posted("title=" + strings.Repeat("%ff", mebi)) })},
}

// upload is a request with parts, and their end.
func upload(parts string) []byte {
	return request("/form", "Content-Type: multipart/form-data; boundary="+boundary+"\r\n", parts+"--"+boundary+"--\r\n")
}

// part is one part, with more parameters of its disposition.
func part(name, more, content string) string {
	return "--" + boundary + "\r\nContent-Disposition: form-data; name=" + name + more + "\r\n\r\n" + content + "\r\n"
}

func posted(fields string) []byte {
	return request("/form", "Content-Type: application/x-www-form-urlencoded\r\n", fields)
}

func TestForms(t *testing.T) { try(t, forms) }
