package redact

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// leastEncoded is the length in bytes from which the encoded forms of a secret are looked for: those of a shorter one are
// parts of ordinary words.
const leastEncoded = 6

// spelling is a way to write a secret, in lower case: a text is searched in its lower case, too.
type spelling struct {
	text string
	// encoded says that the characters around it are made of the secret, too.
	encoded bool
}

// spellings are the secrets as they may stand in a text: as they are, in hexadecimal, and in base64, alone or within
// something longer.
func spellings(secrets []string) []spelling {
	var all []spelling
	add := func(encoded bool, texts ...string) {
		for _, text := range texts {
			all = append(all, spelling{text: lowered(text), encoded: encoded})
		}
	}
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		add(false, secret)
		if shown := printable(secret); shown != "" {
			add(false, shown, strings.ReplaceAll(shown, " ", "+")) // as forms have it
		}
		if len(secret) < leastEncoded {
			continue
		}
		add(true, hex.EncodeToString([]byte(secret)))
		for before := range 3 {
			add(true, within(base64.RawStdEncoding, secret, before), within(base64.RawURLEncoding, secret, before))
		}
	}
	return all
}

// within is the base64 of a secret with that many bytes before it (of which three become four characters) and any
// after it: the characters that depend on the secret alone.
func within(e *base64.Encoding, secret string, before int) string {
	encoded := e.EncodeToString(append(make([]byte, before), secret...))
	from := []int{0, 2, 3}[before]
	if (before+len(secret))%3 != 0 {
		return encoded[from : len(encoded)-1]
	}
	return encoded[from:]
}
