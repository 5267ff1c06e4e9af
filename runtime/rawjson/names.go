package rawjson

import (
	"hash/maphash"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// names are those of the objects that are open: no two of one object may be the same, which RFC 8259, section 4, leaves to the
// reader. They lie one object's after another's, as the objects lie in each other, so that most documents need no more memory than
// the last one did. Each of very many names takes no longer than each of a few.
type names struct {
	objects []namesOf
	all     []name
	text    []byte   // of names with escapes, without those
	table   []uint32 // of each object with more than a few: places among its names, from 1 on, where their hashes lead to
}

// namesOf is where an object's names begin, in each of the lists.
type namesOf struct{ all, text, table int }

// name is where a name lies in the document; or in the text, if it has escapes.
type name struct {
	at, size int
	hash     uint32 // of one that is in a table
	escaped  bool
}

const (
	fewNames = 16      // are compared with each other
	keptSize = 1 << 10 // of each list, from one document to the next
)

// nameHashes is another seed in each process, so that nobody can choose names whose hashes meet.
var nameHashes = maphash.MakeSeed()

func (n *names) free() {
	if cap(n.objects) > keptSize || cap(n.all) > keptSize || cap(n.text) > 8*keptSize || cap(n.table) > 8*keptSize {
		*n = names{}
	}
	n.objects, n.all, n.text, n.table = n.objects[:0], n.all[:0], n.text[:0], n.table[:0]
}

func (n *names) open() {
	n.objects = append(n.objects, namesOf{len(n.all), len(n.text), len(n.table)})
}

func (n *names) close() {
	last := len(n.objects) - 1
	o := n.objects[last]
	n.objects, n.all, n.text, n.table = n.objects[:last], n.all[:o.all], n.text[:o.text], n.table[:o.table]
}

// add reports whether a name is new to its object. It stands between quotes.
func (n *names) add(doc []byte, quoted Span, escaped bool) bool {
	added := name{at: quoted.Start + 1, size: quoted.End - quoted.Start - 2, escaped: escaped}
	if escaped {
		added.at = len(n.text)
		n.text, _ = jsontext.AppendUnquote(n.text, quoted.Of(doc)) // which is valid
		added.size = len(n.text) - added.at
	}
	o := n.objects[len(n.objects)-1]
	own := n.all[o.all:]
	if len(own) >= fewNames {
		return n.enter(doc, o, added)
	}
	for _, other := range own {
		if n.same(doc, other, added) {
			return false
		}
	}
	n.all = append(n.all, added)
	return true
}

func (n *names) of(doc []byte, a name) []byte {
	if a.escaped {
		doc = n.text
	}
	return doc[a.at : a.at+a.size]
}

func (n *names) same(doc []byte, a, b name) bool {
	return a.size == b.size && string(n.of(doc, a)) == string(n.of(doc, b))
}

func (n *names) hash(doc []byte, a name) uint32 {
	return uint32(maphash.Bytes(nameHashes, n.of(doc, a)) >> 32)
}

// enter is add for an object that has a table, or needs one now.
func (n *names) enter(doc []byte, o namesOf, added name) bool {
	own := n.all[o.all:]
	if len(n.table) == o.table {
		for i := range own {
			own[i].hash = n.hash(doc, own[i])
		}
	}
	if len(n.table)-o.table <= 2*len(own) {
		n.grow(o)
	}
	added.hash = n.hash(doc, added)
	table := n.table[o.table:]
	slot := added.slot(table)
	for ; table[slot] != 0; slot = next(table, slot) {
		if other := own[table[slot]-1]; other.hash == added.hash && n.same(doc, other, added) {
			return false
		}
	}
	n.all = append(n.all, added)
	table[slot] = uint32(len(own) + 1) //nolint:gosec // so many names take a document of 16 GiB
	return true
}

// grow makes an object's table, which is the last one, twice as large, or its first one.
func (n *names) grow(o namesOf) {
	size := max(4*fewNames, 2*(len(n.table)-o.table)) // a power of two
	n.table = slices.Grow(n.table[:o.table], size)[:o.table+size]
	table := n.table[o.table:]
	clear(table)
	for i, a := range n.all[o.all:] {
		slot := a.slot(table)
		for table[slot] != 0 {
			slot = next(table, slot)
		}
		table[slot] = uint32(i + 1)
	}
}

// slot is where the search for a name begins in a table, whose size is a power of two; next is where it goes on.
func (a name) slot(table []uint32) int { return int(a.hash) & (len(table) - 1) }

func next(table []uint32, slot int) int { return (slot + 1) & (len(table) - 1) }
