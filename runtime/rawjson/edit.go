package rawjson

import "bytes"

// Renamed returns the object that doc holds, with each member under the name that edit gives it, and without those to which it
// gives none. If nothing is edited, that is doc itself; otherwise values, and what surrounds the members that stay, are as they
// were. New names need no escapes. It reads as MembersSaid does.
func Renamed(doc []byte, edit func(name string) string) ([]byte, error) {
	var out []byte
	edited, first, last := false, true, bytes.IndexByte(doc, '{')+1
	err := MembersSaid(doc, func(raw []byte, at Span) {
		name := string(raw)
		given := edit(name)
		lead := doc[last:at.Start] // a comma, except before the first, and the name
		if given != name && !edited {
			edited = true
			out = append(make([]byte, 0, len(doc)+len(given)), doc[:last]...)
		}
		last = at.End
		if given != "" && edited {
			out = append(appendLead(out, lead, name, given, first), at.Of(doc)...)
		}
		first = first && given == ""
	})
	if err != nil || !edited {
		return doc, err
	}
	return append(out, doc[last:]...), nil
}

// appendLead appends what precedes a value, which is the object's first one or not, under its new name.
func appendLead(out, lead []byte, name, given string, first bool) []byte {
	quote := bytes.IndexByte(lead, '"')
	if before := lead[:quote]; first {
		out = append(out, before[bytes.IndexByte(before, ',')+1:]...)
	} else {
		out = append(out, before...)
	}
	if given == name {
		return append(out, lead[quote:]...)
	}
	return append(append(append(out, '"'), given...), `":`...)
}

// Added is the edit that adds a member at the end of a valid object, which lies in doc. The name needs no escapes, and the value
// is JSON.
func Added(doc []byte, object Span, name string, value []byte) Edit {
	end := object.Start + bytes.LastIndexByte(object.Of(doc), '}')
	member := Object{}.With(name, value)
	if others := bytes.TrimSpace(doc[object.Start:end]); len(others) > len("{") {
		member[0] = ','
	} else {
		member = member[1:]
	}
	return Edit{At: Span{Start: end, End: end}, By: member}
}

// WithMember returns the valid object that doc holds with a member more, as Added adds it.
func WithMember(doc []byte, name string, value []byte) []byte {
	return Edited(doc, Added(doc, Span{End: len(doc)}, name, value))
}
