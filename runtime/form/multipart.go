package form

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	goruntime "runtime"
	"strings"
)

// pieceBytes is how much of a file is read before others get a turn.
const pieceBytes = 32 << 10

// readAhead is more than what a multipart.Reader reads ahead of what it needs.
const readAhead = 16 << 10

var (
	errHead   = &Error{fmt.Sprintf("the headers of a part are longer than %d bytes", MaxHeadBytes)}
	errPieces = &Error{fmt.Sprintf("the name of a field or file is in more than %d pieces such as name*1", MaxPieces)}
	errEnd    = &Error{"it must be a sequence of parts that ends with its boundary and two hyphens"}
	errName   = &Error{`each part must have a header such as Content-Disposition: form-data; name="field"`}
)

// multiparts reads a body of several parts. The library that reads it has no bound on a part's headers below ten megabytes, so that
// what it reads from one part to the next is counted.
func multiparts(ctx context.Context, body []byte, boundary string) (Fields, error) {
	r := &partsReader{piece: make([]byte, pieceBytes)}
	r.source.rest = io.MultiReader(bytes.NewReader(body), strings.NewReader("\r\n"))
	r.parts = multipart.NewReader(&r.source, boundary)
	r.content.Grow(len(body))
	fields := Fields{}
	for count := 0; ctx.Err() == nil; count++ {
		part, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return fields, nil
		case err == nil && count == MaxFields:
			err = errFields
		case err == nil:
			err = r.read(ctx, part, fields)
		}
		if err != nil && ctx.Err() == nil {
			return nil, reasonOf(err)
		}
	}
	return nil, fmt.Errorf("read the form: %w", context.Cause(ctx))
}

// partsReader reads the contents of all parts into one text, of which each value is a part: no buffer grows.
type partsReader struct {
	source  source
	parts   *multipart.Reader
	content strings.Builder
	piece   []byte
}

func (r *partsReader) next() (*multipart.Part, error) {
	r.source.left = MaxHeadBytes + readAhead
	defer func() { r.source.left = -1 }()
	part, err := r.parts.NextRawPart() // no transfer encoding: RFC 7578, section 4.7
	if err == nil && headBytes(part.Header) > MaxHeadBytes {
		return nil, errHead
	}
	return part, err //nolint:wrapcheck // io.EOF means the end
}

func headBytes(h textproto.MIMEHeader) int {
	total := 0
	for name, values := range h {
		for _, value := range values {
			total += len(name) + len(value)
		}
	}
	return total
}

func (r *partsReader) read(ctx context.Context, part *multipart.Part, fields Fields) error {
	disposition := part.Header.Get("Content-Disposition")
	if strings.Count(disposition, "*") > MaxPieces {
		return errPieces
	}
	kind, parameters, err := mime.ParseMediaType(disposition)
	name, named := parameters["name"]
	if err != nil || kind != "form-data" || !named {
		return errName
	}
	content, err := r.text(ctx, part)
	if err != nil {
		return err
	}
	filename, isFile := parameters["filename"]
	if !isFile {
		return fields.add(Valid(name), Value{Text: Valid(content)})
	}
	return fields.add(Valid(name), Value{File: &File{
		Name: Valid(filename), ContentType: Valid(part.Header.Get("Content-Type")), Content: content,
	}})
}

// text is the content of a part.
func (r *partsReader) text(ctx context.Context, part io.Reader) (string, error) {
	from := r.content.Len()
	for {
		n, err := part.Read(r.piece)
		r.content.Write(r.piece[:n])
		switch {
		case errors.Is(err, io.EOF):
			return r.content.String()[from:], nil
		case err != nil:
			return "", err //nolint:wrapcheck // see reasonOf
		case ctx.Err() != nil:
			return "", fmt.Errorf("read the form: %w", context.Cause(ctx))
		}
		goruntime.Gosched()
	}
}

// reasonOf is the reason why a body cannot be read. The library's own words may repeat what was sent.
func reasonOf(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return errEnd
}

// source is a body that can be read as far as is allowed. It ends with errEnd: then only the last boundary is io.EOF to those who
// read parts. For that boundary to be a line, a line end follows the body.
type source struct {
	rest io.Reader
	left int // bytes; below 0, all
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, errHead
	}
	if s.left > 0 {
		p = p[:min(len(p), s.left)]
	}
	n, err := s.rest.Read(p)
	if s.left > 0 {
		s.left -= n
	}
	if errors.Is(err, io.EOF) {
		err = errEnd
	}
	return n, err //nolint:wrapcheck // a body in memory has no other
}
