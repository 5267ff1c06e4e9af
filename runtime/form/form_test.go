package form

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const boundary = "xYzZy"

// sent is a multipart body whose lines end as they do on the wire.
func sent(lines ...string) string { return strings.Join(lines, "\r\n") }

const inParts = Multipart + "; boundary=" + boundary

func TestRead(t *testing.T) {
	field := `Content-Disposition: form-data; name="a"`
	tests := map[string]struct {
		media, body string
		want        Fields
	}{
		"urlencoded": {
			URLEncoded, "a=1&b=x+y%20z&a=&%C3%A9=%FF",
			Fields{"a": {{Text: "1"}, {}}, "b": {{Text: "x y z"}}, "é": {{Text: "\uFFFD"}}},
		},
		"urlencoded with a charset": {URLEncoded + "; charset=utf-8", "a=1", Fields{"a": {{Text: "1"}}}},
		"in other letters":          {"Application/X-WWW-Form-Urlencoded;", "a=1", Fields{"a": {{Text: "1"}}}},
		"nothing":                   {URLEncoded, "", Fields{}},
		"no parts":                  {inParts, "--xYzZy--", Fields{}},
		"parts": {
			inParts,
			sent("--xYzZy", field, "", "one", "--xYzZy", field, "", "", "--xYzZy",
				`content-disposition: form-data; name="f"; filename="ü \"1\".txt"`, "Content-Type: text/plain; charset=utf-8", "",
				"line\r\n--xYzZ\r\n--", "--xYzZy--", ""),
			Fields{
				"a": {{Text: "one"}, {}},
				"f": {{File: &File{Name: `ü "1".txt`, ContentType: "text/plain; charset=utf-8", Content: "line\r\n--xYzZ\r\n--"}}},
			},
		},
		"a name in pieces":         {inParts, sent("--xYzZy", `Content-Disposition: form-data; name*1=b; name*0=a`, "", "1", "--xYzZy--"), Fields{"ab": {{Text: "1"}}}},
		"what surrounds the parts": {inParts, sent("for old readers", "--xYzZy", field, "", "1", "--xYzZy--", "the end"), Fields{"a": {{Text: "1"}}}},
		"no transfer encoding":     {inParts, sent("--xYzZy", field, "Content-Transfer-Encoding: quoted-printable", "", "=41", "--xYzZy--"), Fields{"a": {{Text: "=41"}}}},
		"bytes that are no text": {
			inParts, sent("--xYzZy", field, "", "\xff", "--xYzZy", field+"; filename=\"\xff\"", "", "\xff", "--xYzZy--"),
			Fields{"a": {{Text: "\uFFFD"}, {File: &File{Name: "\uFFFD", Content: "\xff"}}}},
		},
		"an input without a file": {
			inParts, sent("--xYzZy", field+`; filename=""`, "Content-Type: application/octet-stream", "", "", "--xYzZy--"),
			Fields{"a": {{File: &File{ContentType: "application/octet-stream"}}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read(t.Context(), tt.media, []byte(tt.body))
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// What cannot be read is refused with a reason that has no word of what was sent.
func TestUnreadable(t *testing.T) {
	field := `Content-Disposition: form-data; name="canary"`
	one := sent("--xYzZy", field, "", "canary", "")
	tests := map[string]struct{ media, body, want string }{
		"no media type":               {"", "a=canary", ErrMediaType.Error()},
		"JSON":                        {"application/json", `{}`, ErrMediaType.Error()},
		"other parts":                 {"multipart/mixed; boundary=x", "--x--", ErrMediaType.Error()},
		"no boundary":                 {Multipart, one, "must name a boundary of 1 to 70 characters"},
		"a long boundary":             {Multipart + "; boundary=" + strings.Repeat("b", 71), one, "must name a boundary of 1 to 70 characters"},
		"another boundary":            {Multipart + "; boundary=canary", one + "--xYzZy--", "ends with its boundary"},
		"no part":                     {inParts, "canary", "ends with its boundary"},
		"nothing at all":              {inParts, "", "ends with its boundary"},
		"a part without end":          {inParts, one + "more", "ends with its boundary"},
		"an end without its hyphens":  {inParts, one + "--xYzZy", "ends with its boundary"},
		"an end within a boundary":    {inParts, one + "--xYzZ", "ends with its boundary"},
		"an end after a boundary":     {inParts, one + "--xYzZy\r\n", "name=\"field\""},
		"an end within headers":       {inParts, one + "--xYzZy\r\n" + field, "ends with its boundary"},
		"a header without a colon":    {inParts, sent("--xYzZy", "canary", "", "1", "--xYzZy--"), "ends with its boundary"},
		"a part without a name":       {inParts, sent("--xYzZy", "Content-Type: text/plain", "", "1", "--xYzZy--"), "name=\"field\""},
		"a part that is not a field":  {inParts, sent("--xYzZy", `Content-Disposition: attachment; name="canary"`, "", "1", "--xYzZy--"), "name=\"field\""},
		"two names":                   {inParts, sent("--xYzZy", field+`; name="b"`, "", "1", "--xYzZy--"), "name=\"field\""},
		"a long head":                 {inParts, sent("--xYzZy", field, "X: "+strings.Repeat("x", MaxHeadBytes), "", "1", "--xYzZy--"), "longer than 8192 bytes"},
		"a head without end":          {inParts, sent("--xYzZy", field, strings.Repeat("x: y\r\n", 1<<16), "--xYzZy--"), "longer than 8192 bytes"},
		"a long text before":          {inParts, strings.Repeat("canary\r\n", 1<<13) + one + "--xYzZy--", "longer than 8192 bytes"},
		"a long name":                 {URLEncoded, strings.Repeat("n", MaxNameBytes+1) + "=1", "longer than 1024 bytes"},
		"a long name of a part":       {inParts, sent("--xYzZy", `Content-Disposition: form-data; name="`+strings.Repeat("n", MaxNameBytes+1)+`"`, "", "1", "--xYzZy--"), "longer than 1024 bytes"},
		"a name in many pieces":       {inParts, sent("--xYzZy", `Content-Disposition: form-data; name*0=a`+strings.Repeat("; name*1=b", MaxPieces), "", "1", "--xYzZy--"), "more than 100 pieces"},
		"ten thousand fields":         {URLEncoded, strings.Repeat("a=1&", 10_000), "more than 1000 fields"},
		"ten thousand empty fields":   {URLEncoded, strings.Repeat("&", 10_000), "more than 1000 fields"},
		"ten thousand parts":          {inParts, strings.Repeat(one, 10_000) + "--xYzZy--", "more than 1000 fields"},
		"one field more than allowed": {inParts, strings.Repeat(one, MaxFields+1) + "--xYzZy--", "more than 1000 fields"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read(t.Context(), tt.media, []byte(tt.body))
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != nil {
				t.Fatalf("%v, %v; want %q", got, err, tt.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%v repeats what was sent", err)
			}
		})
	}
}

// As many fields as are allowed are read, whatever is in them.
func TestAsManyAsAllowed(t *testing.T) {
	one := sent("--xYzZy", `Content-Disposition: form-data; name="a"`, "X: "+strings.Repeat("x", 6<<10), "", "1", "")
	for media, body := range map[string]string{
		URLEncoded: strings.Repeat("a=1&", MaxFields-1) + "a=1",
		inParts:    strings.Repeat(one, MaxFields) + "--xYzZy--",
	} {
		got, err := Read(t.Context(), media, []byte(body))
		if err != nil || len(got["a"]) != MaxFields {
			t.Errorf("%s: %d fields, %v", media, len(got["a"]), err)
		}
	}
}

// A request that has ended is not read on.
func TestReadingEnds(t *testing.T) {
	why := errors.New("the client has left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	body := sent("--xYzZy", `Content-Disposition: form-data; name="a"`, "", strings.Repeat("x", 1<<20), "--xYzZy--")
	if _, err := Read(ctx, inParts, []byte(body)); !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
}

// held is about what the values of a form take.
func held(fields Fields) int {
	total := 0
	for name, values := range fields {
		total += len(name)
		for _, v := range values {
			if total += len(v.Text); v.File != nil {
				total += len(v.File.Name) + len(v.File.ContentType) + len(v.File.Content)
			}
		}
	}
	return total
}

func TestSizeBoundsWhatIsRead(t *testing.T) {
	file := sent("--xYzZy", `Content-Disposition: form-data; name="f"; filename="f"`, "", strings.Repeat("x", 1<<16), "--xYzZy--")
	for media, body := range map[string]string{
		URLEncoded:         strings.Repeat("a=%C3%A9&", 900) + "b=" + strings.Repeat("\xff", 1<<10),
		inParts:            file,
		"application/json": "{}",
	} {
		fields, _ := Read(t.Context(), media, []byte(body))
		if size := Size(media, []byte(body)); size < held(fields) || size > 3*len(body)+MaxFields*fieldBytes {
			t.Errorf("%s: %d bytes are bounded by %d", media, held(fields), size)
		}
	}
}

// FuzzRead: what is read of any body is within its bounds, and is what was meant: written again by the standard library, it reads
// the same.
func FuzzRead(f *testing.F) {
	f.Add(URLEncoded, "a=1&b=%FF")
	f.Add(inParts, sent("--xYzZy", `Content-Disposition: form-data; name="f"; filename="f"`, "Content-Type: x", "", "1", "--xYzZy--"))
	f.Add(inParts, sent("--xYzZy", `Content-Disposition: form-data; name=f`, "", "--xYzZ\r\n--xYzZy-", "--xYzZy--"))
	f.Fuzz(func(t *testing.T, media, body string) {
		fields, err := Read(t.Context(), media, []byte(body))
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) && !errors.Is(err, ErrMediaType) {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if size := Size(media, []byte(body)); held(fields) > size {
			t.Fatalf("%q: %d bytes, bounded by %d", body, held(fields), size)
		}
		if len(body) > MaxHeadBytes/4 {
			return // written again, its names may be too long
		}
		again, written := rewritten(t, fields)
		got, err := Read(t.Context(), again, written)
		if diff := cmp.Diff(fields, got); err != nil || diff != "" {
			t.Fatalf("%q: %v\n%s", body, err, diff)
		}
	})
}

// rewritten writes fields as a multipart body.
func rewritten(t *testing.T, fields Fields) (media string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, values := range fields {
		for _, v := range values {
			parameters, head, content := map[string]string{"name": name}, textproto.MIMEHeader{}, v.Text
			if v.File != nil {
				parameters["filename"], content = v.File.Name, v.File.Content
				if v.File.ContentType != "" {
					head.Set("Content-Type", v.File.ContentType)
				}
			}
			head.Set("Content-Disposition", mime.FormatMediaType("form-data", parameters))
			part, err := w.CreatePart(head)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := part.Write([]byte(content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}
