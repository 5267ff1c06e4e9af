package rawjson

// space passes white space (RFC 8259, section 2).
func space(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\n' || doc[i] == '\r' || doc[i] == '\t') {
		i++
	}
	return i
}

// literal passes a word (RFC 8259, section 3).
func literal(doc []byte, i int, word string) int {
	end := i + len(word)
	if end > len(doc) || string(doc[i:end]) != word {
		return -1
	}
	return end
}

// number passes a number (RFC 8259, section 6).
func number(doc []byte, i int) int {
	if doc[i] == '-' {
		i++
	}
	if i < len(doc) && doc[i] == '0' {
		i++
	} else if i = digits(doc, i); i < 0 {
		return -1
	}
	if i < len(doc) && doc[i] == '.' {
		if i = digits(doc, i+1); i < 0 {
			return -1
		}
	}
	if i == len(doc) || doc[i]|0x20 != 'e' {
		return i
	}
	if i++; i < len(doc) && (doc[i] == '+' || doc[i] == '-') {
		i++
	}
	return digits(doc, i)
}

// digits passes at least one.
func digits(doc []byte, i int) int {
	first := i
	for i < len(doc) && '0' <= doc[i] && doc[i] <= '9' {
		i++
	}
	if i == first {
		return -1
	}
	return i
}
