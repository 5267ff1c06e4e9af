package rawjson

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

var errDisputed = errors.New("read JSON: it is refused, and nothing is found that is wrong")

// fault is what jsontext has to say about a document that the cursor refuses, of which it has taken what ends at a place. That is
// read token by token, and what follows at once, unless it is much: the library has different words for a few mistakes then.
func fault(doc []byte, at int, said bool) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(doc))
	if said {
		d.Reset(bytes.NewBuffer(doc), lenient)
	}
	t := turns{due: much}
	for d.InputOffset() < int64(at) {
		if _, err := d.ReadToken(); err != nil {
			return unread(err)
		}
		t.take(int(d.InputOffset()))
	}
	if kind := d.PeekKind(); (kind != '{' && kind != '[') || len(d.UnreadBuffer()) <= much {
		_, err := d.ReadValue()
		return unread(err)
	}
	for {
		if _, err := d.ReadToken(); err != nil {
			return unread(err)
		}
		t.take(int(d.InputOffset()))
	}
}

func unread(err error) error {
	if err == nil {
		return errDisputed
	}
	return fmt.Errorf("read JSON: %w", err)
}
