package relay

import (
	"context"
	"errors"
	"io"
	goruntime "runtime"
)

// Copies is how often a text is held at once while it is read: the pieces that have come and the whole that is made
// of them, and later the text and what was made of it.
const Copies = 2

const (
	// firstRead is the buffer for a text's first bytes, unless more have come already. A client that announces a long one and sends
	// nothing holds no more.
	firstRead = 4 << 10
	// longPiece is the size of the pieces in which a long text of unknown length is read, in bytes: each is
	// admitted when it is needed, and none has to be copied into a larger one.
	longPiece = 256 << 10
)

// ErrTooLong is a text that has more bytes than were allowed.
var ErrTooLong = errors.New("has more bytes than are allowed")

// ReadAll reads a text of at most limit bytes to its end. Announced is how long it is said to be, in bytes; below 1,
// nobody has said. Of what it returns Held(text) is reserved; after an error, nothing. The error is ErrTooLong, a Failure
// of the memory's, or the reader's own.
func ReadAll(ctx context.Context, m Memory, r io.Reader, announced int64, limit int) ([]byte, error) {
	return (*Loan)(nil).ReadAll(ctx, m, r, announced, limit)
}

// ReadAll is the function of that name, of which the text's memory is lent. It is called once in the loan's life.
func (l *Loan) ReadAll(ctx context.Context, m Memory, r io.Reader, announced int64, limit int) ([]byte, error) {
	if announced > int64(limit) {
		return nil, ErrTooLong
	}
	t := text{memory: m, loan: l, limit: limit, longest: limit + 1} // one more byte shows that there is more
	if announced > 0 {
		t.longest = int(announced) + 1
	}
	t.announced, t.come = announced > 0, Come(r)
	err := t.read(ctx, r)
	if errors.Is(err, io.EOF) {
		return t.whole(), nil
	}
	t.release()
	m.Return(Copies * t.size)
	return nil, err
}

// Come is how many bytes a reader has that can be read without waiting, as far as it knows.
func Come(r io.Reader) int {
	if knows, ok := r.(interface{ Come() int }); ok {
		return knows.Come()
	}
	return 0
}

// Held is what ReadAll has reserved for a text that it returned, in bytes.
func Held(text []byte) int { return Copies * cap(text) }

// text is one that is read.
type text struct {
	memory    Memory
	loan      *Loan
	limit     int
	longest   int // how long it may get, as far as anybody has said
	announced bool
	come      int // of which at least so much can be read at once

	full  []piece // pieces that are
	last  piece   // the one that is being filled
	size  int     // of all pieces, in bytes
	bytes int     // that have come
}

// piece is a part of a text. Its block is nil if its memory is its own.
type piece struct {
	bytes []byte
	block *block
}

func (t *text) read(ctx context.Context, r io.Reader) error {
	for {
		if len(t.last.bytes) == cap(t.last.bytes) {
			if err := t.enlarge(ctx); err != nil {
				return err
			}
		}
		n, err := r.Read(t.last.bytes[len(t.last.bytes):cap(t.last.bytes)])
		t.last.bytes = t.last.bytes[:len(t.last.bytes)+n]
		t.bytes += n
		if t.bytes > t.limit {
			return ErrTooLong
		}
		if err != nil {
			return err //nolint:wrapcheck // callers say whose it is
		}
	}
}

// enlarge makes room for more: the whole, where its length was announced, else as much again, but at most longPiece.
func (t *text) enlarge(ctx context.Context) error {
	more := min(t.longest, max(firstRead, t.come+1))
	switch {
	case t.size == 0:
	case t.announced && t.size < t.longest:
		more = t.longest - t.size
	default:
		more = min(t.size, longPiece, t.limit+1-t.size)
	}
	if err := t.memory.Reserve(ctx, Copies*more); err != nil {
		return err //nolint:wrapcheck // it is a Failure already
	}
	before := t.last
	switch {
	case t.size == 0:
		t.last = t.piece(more)
	case t.announced && t.size < t.longest:
		t.last = t.piece(t.longest)
		t.last.bytes = append(t.last.bytes, before.bytes...)
		before.block.giveBack()
	default:
		t.full, t.last = append(t.full, before), t.piece(more)
	}
	t.size += more
	return nil
}

// piece is an empty one for so many bytes. Those of longPiece are given back in any case, once the whole is made of them.
func (t *text) piece(size int) piece {
	if t.loan != nil || size == longPiece {
		if b := borrow(size); b != nil {
			return piece{bytes: (*b)[:0:size], block: b}
		}
	}
	return piece{bytes: make([]byte, 0, size)}
}

// whole is the text in one piece. The copying takes turns with others: copying cannot be interrupted, and what stops all
// goroutines for a moment, as the garbage collector does, waits for it.
func (t *text) whole() []byte {
	all := t.last
	if len(t.full) > 0 {
		all = t.piece(t.bytes)
		for _, p := range append(t.full, t.last) {
			all.bytes = append(all.bytes, p.bytes...)
			goruntime.Gosched()
		}
		t.release()
		t.memory.Return(Copies * (t.size - t.bytes))
	}
	if t.loan != nil {
		t.loan.block = all.block
	}
	return all.bytes
}

// release lets others use the pieces.
func (t *text) release() {
	for _, p := range append(t.full, t.last) {
		p.block.giveBack()
	}
	t.full, t.last = nil, piece{}
}
