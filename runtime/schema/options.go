package schema

// settings is what options change.
type settings struct{ formats, echo, sets bool }

// Option changes what a compiled schema does.
type Option func(*settings)

// AssertFormats makes the formats of JSON Schema 2020-12 (Validation, section 7.3) rules for strings; without it, `format` is
// an annotation, as in the draft's default vocabulary. Other formats stay annotations.
func AssertFormats() Option { return func(s *settings) { s.formats = true } }

// EchoInputs makes violations repeat the value that they are about, as FastAPI does, unless it is over MaxInputBytes. What
// a client sent can be a secret, so nothing is repeated without it.
func EchoInputs() Option { return func(s *settings) { s.echo = true } }

// DropRepeats takes a list whose items have to be unique for a set, as Pydantic's types of sets do, which are what most such
// schemas are made from: what was sent twice counts once, and is given once. Without it, such a list is refused.
func DropRepeats() Option { return func(s *settings) { s.sets = true } }

func settingsOf(options []Option) settings {
	var s settings
	for _, o := range options {
		o(&s)
	}
	return s
}
