package openai

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/relay"
)

// EmbeddingsPath is the embeddings endpoint, relative to an upstream's base URL.
const EmbeddingsPath = "/embeddings"

const encodingFormat = "encoding_format"

// Embeddings is a request for the vectors of texts.
type Embeddings struct {
	// Input is sent as a list, also where it is one text.
	Input []string
	// Parameters is an object of further members; nil for none. One that is null is left out, encoding_format included,
	// which is float where they say nothing of it. Model and input are not theirs to say.
	Parameters jsontext.Value
}

// Body returns the request for a model. Parameters that are not an object are an error.
func (e *Embeddings) Body(model string) ([]byte, error) {
	input := list(e.Input, quote)
	body := object{}.with("model", quote(model)).with("input", input)
	formatted := false
	err := eachParameter(e.Parameters, func(name string, value []byte) {
		formatted = formatted || name == encodingFormat
		if name != "model" && name != "input" && !isNull(value) {
			body = body.with(name, value)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	if !formatted {
		body = body.with(encodingFormat, quote("float"))
	}
	return body.done(), nil
}

// Vectors is an answer with embeddings.
type Vectors struct {
	// Vectors are in the order of the texts.
	Vectors [][]float64
	// Usage is as the upstream gave it; nil for none.
	Usage jsontext.Value
	// Tokens is what could be read of Usage.
	Tokens Tokens
}

// ParseEmbeddings reads an answer to so many texts. An answer that lacks one of their vectors, or has one twice, is an
// error; so is an answer that states an error (a relay.Failure,
// FailedEvent). No error repeats what the upstream said.
func ParseEmbeddings(body []byte, texts int) (*Vectors, error) {
	var e envelope
	if err := e.read(body); err != nil {
		return nil, fmt.Errorf("read embeddings: %w", err)
	}
	if states(e.failure.of(e.doc)) {
		return nil, relay.Failure{Kind: relay.FailedEvent, Err: errErrorMember}
	}
	v := &Vectors{Vectors: make([][]float64, texts), Usage: asUsage(e.usage.of(e.doc))}
	v.Tokens = tokens(v.Usage)
	if err := v.read(e.data.of(e.doc), e.data.of(body), texts); err != nil {
		return nil, err
	}
	return v, nil
}

// read gets the list as it can be read, and as it came: there, what is not a number is not one.
func (v *Vectors) read(list, came []byte, texts int) error {
	count := 0
	var wrong error
	err := elementsSaid(list, func(i int, at span) {
		if count++; count <= texts && wrong == nil {
			wrong = v.add(i, at.of(list), at.of(came))
		}
	})
	switch {
	case err != nil: // it has been read once already
		return fmt.Errorf("read embeddings: data: %w", errNotArray)
	case count != texts:
		return fmt.Errorf("read embeddings: %d of them for %d texts", count, texts)
	case wrong != nil:
		return fmt.Errorf("read embeddings: %w", wrong)
	}
	return nil
}

func (v *Vectors) add(position int, item, came []byte) error {
	var index, embedding span
	if err := membersSaid(item, func(name []byte, value span) {
		switch string(name) {
		case "index":
			index = value
		case "embedding":
			embedding = value
		}
	}); err != nil {
		return fmt.Errorf("data[%d]: %w", position, err)
	}
	i := position
	if given := index.of(item); !isNull(given) {
		i = saidInteger(given, -1)
	}
	if i < 0 || i >= len(v.Vectors) || v.Vectors[i] != nil {
		return fmt.Errorf("data[%d].index: want one vector for each text", position)
	}
	vector, err := numbers(embedding.of(came))
	if err != nil {
		return fmt.Errorf("data[%d].embedding: %w", position, err)
	}
	v.Vectors[i] = vector
	return nil
}

var (
	errNotNumbers = errors.New("want an array of numbers")
	errNotPacked  = errors.New("want finite numbers as float32 in base64")
)

// numbers reads a vector in either of the encoding formats.
func numbers(list []byte) ([]float64, error) {
	if jsontext.Value(list).Kind() == '"' {
		return floats(list)
	}
	var all []float64
	if err := json.Unmarshal(list, &all); err != nil || len(all) == 0 || bytes.Contains(list, []byte("null")) {
		return nil, errNotNumbers
	}
	return all, nil
}

const float32Bytes = 4

// floats reads the format base64: float32 in little endian, as OpenAI's SDKs read it.
func floats(quoted []byte) ([]float64, error) {
	var packed []byte
	if err := json.Unmarshal(quoted, &packed); err != nil || len(packed) == 0 || len(packed)%float32Bytes != 0 {
		return nil, errNotPacked
	}
	all := make([]float64, len(packed)/float32Bytes)
	for i := range all {
		n := math.Float32frombits(binary.LittleEndian.Uint32(packed[i*float32Bytes:]))
		if all[i] = float64(n); math.IsNaN(all[i]) || math.IsInf(all[i], 0) {
			return nil, errNotPacked
		}
	}
	return all, nil
}
