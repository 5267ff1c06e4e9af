package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

var errDisputed = errors.New("read JSON: it is refused, and nothing is found that is wrong")

// fault is what jsontext has to say about a document that the cursor refuses, read token by token.
func fault(doc []byte, said bool) error {
	switch d, err := readTo(doc, len(doc)+1, said); {
	case errors.Is(err, io.EOF) && d.InputOffset() > 0:
		return errDisputed
	default:
		return fmt.Errorf("read JSON: %w", err)
	}
}

// readTo reads a document token by token, up to a place or beyond.
func readTo(doc []byte, at int, said bool) (*jsontext.Decoder, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(doc))
	if said {
		d.Reset(bytes.NewBuffer(doc), lenient)
	}
	t := turns{due: much}
	for d.InputOffset() < int64(at) {
		if _, err := d.ReadToken(); err != nil {
			return d, err //nolint:wrapcheck // callers say what they could not read
		}
		t.take(int(d.InputOffset()))
	}
	return d, nil
}

// Place returns where that ends, in bytes, which ends at a place of a document or goes on there, and its RFC 6901 JSON pointer. The
// document can be read up to there.
func Place(doc []byte, at int) (end int, pointer string) {
	d, _ := readTo(doc, at, true) // it can be read
	return int(d.InputOffset()), string(d.StackPointer())
}
