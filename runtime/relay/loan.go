package relay

import "sync"

const (
	// lentStep is the difference between two sizes of memory that is lent, in bytes, and the least of them. Shorter texts cost
	// little in any case, and have memory of their own, but in tests: see leastLent.
	lentStep = 4 << 10
	// mostLent is the largest one. Longer texts are rare, and are memory of their own.
	mostLent = longPiece
)

// lent is memory that is not in use, by size, until the garbage collector wants it. Memory that is in place already need neither
// be cleared, nor be found and collected for each text.
var lent [mostLent / lentStep]sync.Pool

// Loan lends the memory of a text. The zero value has lent nothing; nil lends nothing. It is not for concurrent use.
type Loan struct{ block *block }

// block is memory of one of the sizes.
type block []byte

// GiveBack ends the loan: nothing may refer to the text any more. Without one, it does nothing.
func (l *Loan) GiveBack() {
	l.block.giveBack()
	l.block = nil
}

// borrow returns a block of at least so many bytes; nil for a size that is not lent.
func borrow(size int) *block {
	if size < leastLent || size > mostLent {
		return nil
	}
	i := (size - 1) / lentStep
	if b, ok := lent[i].Get().(*block); ok {
		return b
	}
	b := make(block, (i+1)*lentStep)
	return &b
}

func (b *block) giveBack() {
	if b == nil {
		return
	}
	if spoils {
		for i := range *b {
			(*b)[i] = spoilt
		}
	}
	lent[len(*b)/lentStep-1].Put(b)
}

// spoilt is what tests find where something refers to memory that was given back: no text has it.
const spoilt = 0xFF
