package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// byteOrderMark may precede a JSON text; a reader may ignore it (RFC 8259, section 8.1).
var byteOrderMark = []byte("\xEF\xBB\xBF")

var errNothing = errors.New("the JSON text is empty")

// DecodeLenient reads what an upstream has answered. It gives values as Decode does, within the same limits, and takes
// what Decode refuses but RFC 8259 leaves to its reader: the last of several members of one name counts, half of a
// surrogate pair and invalid UTF-8 become U+FFFD, a byte order mark is skipped, and a number of any length becomes the
// nearest float64. Its errors say what cannot be read and at which byte, and repeat nothing of the text; but for the cause of
// ctx, where that ends first.
func DecodeLenient(ctx context.Context, text []byte) (any, error) {
	if len(text) > MaxBodyBytes {
		return nil, tooLong(MaxBodyBytes)
	}
	json := bytes.TrimPrefix(text, byteOrderMark)
	if len(bytes.TrimLeft(json, " \t\r\n")) == 0 {
		return nil, errNothing
	}
	d := decoderOf(json, limits{depth: MaxBodyDepth, nodes: MaxBodyNodes, keys: MaxObjectKeys})
	defer d.free()
	d.own.renew(ctx, 0)
	d.lenient, d.work = true, &d.own
	doc, fault := d.document()
	if err := d.work.interrupted(); err != nil {
		return nil, err
	}
	if fault != nil {
		return nil, fmt.Errorf("%s at byte %d", fault.reason, int(fault.offset)+len(text)-len(json))
	}
	return doc.settled(), nil
}

// nearest gives int64 if a number is one, and otherwise the nearest float64, which has to be finite.
func nearest(text []byte) (any, error) {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, errRange
	}
	return f, nil
}
