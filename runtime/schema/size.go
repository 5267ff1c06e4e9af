package schema

import "github.com/llmservice/llmservice/runtime/rawjson"

// What a decoded value takes in addition to its text, in bytes, as Go lays out maps and slices, whose capacity may be twice what
// they hold.
const (
	objectBytes = 352 // a map, and its first eight members
	emptyBytes  = 64  // a map without members, or a list's header
	memberBytes = 48  // a member beyond the first eight, and its name
	valueBytes  = 48  // an item's place in a list, and the header of a string
)

// DecodedBytes bounds what a JSON text takes once it is decoded, in bytes, without decoding it: it counts what opens and
// separates values outside of strings. Of a text that is not JSON it says nothing, nor of one with more values than
// MaxBodyNodes, beyond what is decoded of it.
func DecodedBytes(text []byte) int {
	size, values := len(text)+valueBytes, 0
	for i := 0; i < len(text) && values <= MaxBodyNodes; i++ {
		switch text[i] {
		case '"':
			i = rawjson.StringEnd(text, i+1)
		case '{':
			size += objectBytes
			if i+1 < len(text) && text[i+1] == '}' {
				size += emptyBytes - objectBytes
			}
			values++
		case '[':
			size += emptyBytes + valueBytes
			values++
		case ':':
			size += memberBytes
		case ',':
			size += valueBytes
			values++
		}
	}
	return size
}
