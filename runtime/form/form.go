// Package form reads the bodies that HTML forms, and programs that upload files, send: application/x-www-form-urlencoded and
// multipart/form-data (RFC 7578). A body is there as a whole, within the limit of its route; the bounds here are on what is made
// of it.
package form

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
)

// Bounds of one form. Those who send more get an Error.
const (
	// MaxFields bounds the fields and files together, also those of one name.
	MaxFields = 1000
	// MaxNameBytes bounds the name of a field.
	MaxNameBytes = 1024
	// MaxHeadBytes bounds the headers of one part of a multipart body, with their names.
	MaxHeadBytes = 8 << 10
	// MaxPieces bounds the pieces of a part's names (RFC 2231, section 3), each of which costs more to put together than a byte to
	// read. Asterisks within a name count, too.
	MaxPieces = 100
	// maxBoundaryBytes is the bound of RFC 2046, section 5.1.1.
	maxBoundaryBytes = 70
)

// The media types of forms.
const (
	URLEncoded = "application/x-www-form-urlencoded"
	Multipart  = "multipart/form-data"
)

// ErrMediaType is a body that is not of a form's media type.
var ErrMediaType = errors.New("is not a form")

// Error is why a form cannot be read. It has no word of the form itself, so that anyone may read it.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

// Value is one value of a field: a file, or a text if File is nil.
type Value struct {
	Text string
	File *File
}

// File is a file as a client sent it. All of it but the content is the client's word for it.
type File struct {
	Name string
	// ContentType is empty if the client named none.
	ContentType string
	Content     string
}

// IsUnchosen reports whether the file is what browsers send for an input in which no file was chosen.
func (f *File) IsUnchosen() bool { return f != nil && f.Name == "" && f.Content == "" }

// Fields are the values of a form by their names, in the order in which they were sent.
type Fields map[string][]Value

// Read reads a body. The error is ErrMediaType, an *Error, or the cause of ctx if that ends first. Size bounds what it makes.
func Read(ctx context.Context, contentType string, body []byte) (Fields, error) {
	media, boundary, err := typeOf(contentType)
	if err != nil {
		return nil, err
	}
	if media == URLEncoded {
		return urlencoded(body)
	}
	return multiparts(ctx, body, boundary)
}

// typeOf reads a Content-Type. A parameter of an urlencoded form that is not one does not matter.
func typeOf(contentType string) (media, boundary string, err error) {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", "", ErrMediaType
	}
	switch media {
	case URLEncoded:
		return media, "", nil
	case Multipart:
	default:
		return "", "", ErrMediaType
	}
	boundary = parameters["boundary"]
	if boundary == "" || len(boundary) > maxBoundaryBytes {
		return "", "", &Error{fmt.Sprintf("the Content-Type must name a boundary of 1 to %d characters", maxBoundaryBytes)}
	}
	return media, boundary, nil
}

// What a field takes in addition to its text, in bytes: its place in a map and a list, its File, and its headers while they are
// read.
const fieldBytes = 1 << 10

// Size bounds what Read makes of a body, in bytes, without reading it.
func Size(contentType string, body []byte) int {
	media, boundary, err := typeOf(contentType)
	if err != nil {
		return 0
	}
	if media == URLEncoded {
		return 2*len(body) + fieldBytes*min(1+bytes.Count(body, []byte("&")), MaxFields)
	}
	return len(body) + fieldBytes*min(bytes.Count(body, []byte("--"+boundary)), MaxFields)
}

var errFields = &Error{fmt.Sprintf("it has more than %d fields and files", MaxFields)}

func (f Fields) add(name string, v Value) error {
	if len(name) > MaxNameBytes {
		return &Error{fmt.Sprintf("the name of a field is longer than %d bytes", MaxNameBytes)}
	}
	f[name] = append(f[name], v)
	return nil
}

func urlencoded(body []byte) (Fields, error) {
	if bytes.Count(body, []byte("&")) >= MaxFields {
		return nil, errFields
	}
	fields := Fields{}
	for name, texts := range ParseQuery(string(body)) {
		for _, text := range texts {
			if err := fields.add(name, Value{Text: text}); err != nil {
				return nil, err
			}
		}
	}
	return fields, nil
}
