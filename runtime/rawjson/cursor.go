package rawjson

import "github.com/go-json-experiment/json/jsontext"

// maxDepth is how deep lists and objects may nest. RFC 8259, section 9, leaves that to each reader; jsontext has the same.
const maxDepth = 10000

// cursor goes over a document once, by the grammar of RFC 8259, and takes what jsontext takes. What is wrong with a document it
// leaves to that library to say: see fault. Methods that pass something return the place behind it, or -1 if it is not there.
type cursor struct {
	doc       []byte
	at        int  // where that ends which was taken last
	begins    int  // where the next value begins, if someone has looked; otherwise 0
	delimiter byte // a colon or a comma that has to come before the next value, but not before a bracket that closes
	said      bool // by an upstream: names may repeat, and text may be any bytes
	closes    byte // the innermost list or object that is open
	depth     int
	deepest   int
	objects   [(maxDepth + 63) / 64]uint64 // has a bit set for each that is open and no list
	names     names
	turns     turns
}

func (c *cursor) begin(doc []byte, said bool) {
	c.doc, c.said = doc, said
	c.at, c.begins, c.delimiter, c.closes, c.depth, c.deepest = 0, 0, 0, 0, 0, 0
	c.turns = turns{due: much}
}

// free lets go of the document, for another to be read.
func (c *cursor) free() {
	c.doc = nil
	c.names.free()
}

// kind is that of the value that follows, or of the bracket; 0 if neither does, or if the wrong delimiter is before it.
func (c *cursor) kind() jsontext.Kind {
	if c.begins > 0 {
		return kinds[c.doc[c.begins]]
	}
	i := space(c.doc, c.at)
	if i == len(c.doc) {
		return 0
	}
	delimiter := c.doc[i]
	if delimiter != ':' && delimiter != ',' {
		delimiter = 0
	} else if i = space(c.doc, i+1); i == len(c.doc) {
		return 0
	}
	kind, needed := kinds[c.doc[i]], c.delimiter
	if needed == ',' && (kind == '}' || kind == ']' || c.depth == 0) {
		needed = 0
	}
	if delimiter != needed {
		return 0
	}
	c.begins = i
	return kind
}

// kinds are what begins with a character, if anything does.
var kinds = [256]jsontext.Kind{
	'n': 'n', 'f': 'f', 't': 't', '"': '"', '{': '{', '}': '}', '[': '[', ']': ']', '-': '0',
	'0': '0', '1': '0', '2': '0', '3': '0', '4': '0', '5': '0', '6': '0', '7': '0', '8': '0', '9': '0',
}

// take takes what begins where the next value does, and ends at a place, unless it is not there. A delimiter has to follow.
func (c *cursor) take(end int, delimiter byte) (Span, bool) {
	if end < 0 {
		return Span{}, false
	}
	at := Span{Start: c.begins, End: end}
	c.at, c.begins, c.delimiter = end, 0, delimiter
	return at, true
}

func (c *cursor) value() (Span, bool) {
	kind := c.kind()
	if kind == 0 {
		return Span{}, false
	}
	if kind == '{' || kind == '[' {
		return c.take(c.nested(c.begins), ',')
	}
	return c.take(c.scalar(c.begins), ',')
}

func (c *cursor) memberName() (Span, bool) {
	if c.kind() != '"' {
		return Span{}, false
	}
	return c.take(c.name(c.begins), ':')
}

// enter goes into the list or object that follows.
func (c *cursor) enter() (Span, bool) {
	if !c.open(c.doc[c.begins]) {
		return Span{}, false
	}
	return c.take(c.begins+1, 0)
}

// leave takes the bracket that follows.
func (c *cursor) leave() (Span, bool) {
	c.close()
	return c.take(c.begins+1, ',')
}

func (c *cursor) open(bracket byte) bool {
	if c.depth == maxDepth {
		return false
	}
	word, bit := &c.objects[c.depth/64], uint64(1)<<(c.depth%64)
	if bracket == '{' {
		*word |= bit
		if !c.said {
			c.names.open()
		}
	} else {
		*word &^= bit
	}
	c.depth++
	c.deepest = max(c.deepest, c.depth)
	c.closes = bracket + ('}' - '{') // which is as far from "[" to "]"
	return true
}

func (c *cursor) close() {
	if c.closes == '}' && !c.said {
		c.names.close()
	}
	c.depth--
	c.closes = ']'
	if around := c.depth - 1; around >= 0 && c.objects[around/64]>>(around%64)&1 != 0 {
		c.closes = '}'
	}
}

// nested passes a list or an object, whatever it holds.
func (c *cursor) nested(i int) int {
	outside := c.depth
	if !c.open(c.doc[i]) {
		return -1
	}
	i++
	for first := true; ; {
		if len(c.doc) > much { // others can wait for what is less
			c.turns.take(i)
		}
		if i = space(c.doc, i); i == len(c.doc) {
			return -1
		}
		if c.doc[i] == c.closes {
			c.close()
			i++
			if first = false; c.depth == outside {
				return i
			}
			continue
		}
		if i = c.toValue(i, first); i < 0 {
			return -1
		}
		if bracket := c.doc[i]; bracket == '{' || bracket == '[' {
			if !c.open(bracket) {
				return -1
			}
			i, first = i+1, true
		} else if i, first = c.scalar(i), false; i < 0 {
			return -1
		}
	}
}

// toValue passes what stands before a value: a comma if it is not the first, and its name in an object.
func (c *cursor) toValue(i int, first bool) int {
	if !first {
		if c.doc[i] != ',' {
			return -1
		}
		i = space(c.doc, i+1)
	}
	if c.closes == '}' {
		if i = c.name(i); i < 0 {
			return -1
		}
		if i = space(c.doc, i); i == len(c.doc) || c.doc[i] != ':' {
			return -1
		}
		i = space(c.doc, i+1)
	}
	if i == len(c.doc) {
		return -1
	}
	return i
}

// name passes a name, which must be none that its object has had.
func (c *cursor) name(i int) int {
	if i == len(c.doc) || c.doc[i] != '"' {
		return -1
	}
	end, escaped := c.text(i)
	if end >= 0 && !c.said && !c.names.add(c.doc, Span{Start: i, End: end}, escaped) {
		return -1
	}
	return end
}

func (c *cursor) scalar(i int) int {
	switch c.doc[i] {
	case '"':
		end, _ := c.text(i)
		return end
	case 'n':
		return literal(c.doc, i, "null")
	case 't':
		return literal(c.doc, i, "true")
	case 'f':
		return literal(c.doc, i, "false")
	}
	return number(c.doc, i)
}

// atEnd reports whether white space alone is left.
func (c *cursor) atEnd() bool { return space(c.doc, c.at) == len(c.doc) }
