package rawjson

import (
	"fmt"
	goruntime "runtime"

	"github.com/go-json-experiment/json/jsontext"
)

// much is from how many bytes on a document is read token by token, so that others get their turns: an event may have
// 16 MiB, and millions of values.
const much = 64 << 10

// turns leaves the worker to others now and then.
type turns struct{ steps int }

// turnEvery is how many tokens are read between two turns, which takes a tenth of a millisecond or so.
const turnEvery = 1024

func (t *turns) take() {
	if t.steps++; t.steps%turnEvery == 0 {
		goruntime.Gosched()
	}
}

// nextOfMuch is the list or object that follows, where much is left to read. Of what it holds, it reads by tokens only what
// is not short.
func nextOfMuch(d *jsontext.Decoder) (Span, error) {
	var t turns
	depth, start, inVain := d.StackDepth(), 0, 0
	for {
		kind := d.PeekKind()
		at := int(d.InputOffset())
		if opens := kind == '{' || kind == '['; opens && start > 0 && inVain <= at-start {
			if short(d.UnreadBuffer()) {
				if _, err := d.ReadValue(); err != nil {
					return Span{}, fmt.Errorf("read JSON: %w", err)
				}
				t.take()
				continue
			}
			inVain += shortBytes // no more than has been read: lists in lists are looked through once, and not from each
		}
		if _, err := d.ReadToken(); err != nil {
			return Span{}, fmt.Errorf("read JSON: %w", err)
		}
		if start == 0 {
			start = int(d.InputOffset())
		}
		if d.StackDepth() == depth {
			return Span{Start: start - 1, End: int(d.InputOffset())}, nil // from its bracket
		}
		t.take()
	}
}

const shortBytes = 512

// short reports whether the list or object with which a text begins ends soon.
func short(text []byte) bool {
	ends, _ := nesting(text[:min(len(text), shortBytes)], shortBytes)
	return ends
}
