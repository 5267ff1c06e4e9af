package openai

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
)

const encodingFormat = "encoding_format"

// embeddingsBody is the request for a model. The input is sent as a list, even if it is one text. encoding_format is float
// unless the parameters set it; they cannot set model and input. Parameters that are not an object are an error.
func embeddingsBody(e *llm.Embeddings, model string) ([]byte, error) {
	input := rawjson.List(e.Input, rawjson.Quote)
	body := rawjson.Object{}.With("model", rawjson.Quote(model)).With("input", input)
	formatted := false
	err := eachParameter(e.Parameters, func(name string, value []byte) {
		formatted = formatted || name == encodingFormat
		if name != "model" && name != "input" && !rawjson.IsNull(value) {
			body = body.With(name, value)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	if !formatted {
		body = body.With(encodingFormat, rawjson.Quote("float"))
	}
	return body.Done(), nil
}

// readVectors reads the answer for this many texts. If it lacks one of their vectors, or has one twice, that is an error, and
// so is an answer that reports an error (a relay.Failure, FailedEvent). No error repeats the upstream's words.
func readVectors(body []byte, texts int) (*llm.Vectors, error) {
	var e envelope
	if err := e.read(body); err != nil {
		return nil, fmt.Errorf("read embeddings: %w", err)
	}
	if states(e.failure.Of(e.doc)) {
		return nil, relay.Failure{Kind: relay.FailedEvent, Err: errErrorMember}
	}
	v := &llm.Vectors{Vectors: make([][]float64, texts), Usage: asUsage(e.usage.Of(e.doc))}
	v.Tokens = llm.TokensOf(v.Usage)
	if err := fill(v.Vectors, e.data.Of(e.doc), e.data.Of(body)); err != nil {
		return nil, err
	}
	return v, nil
}

// fill reads the list in its readable form, and as it came: only there can be seen whether a value was a number.
func fill(vectors [][]float64, list, came []byte) error {
	count := 0
	var wrong error
	err := rawjson.ElementsSaid(list, func(i int, at rawjson.Span) {
		if count++; count <= len(vectors) && wrong == nil {
			wrong = readVector(vectors, i, at.Of(list), at.Of(came))
		}
	})
	switch {
	case err != nil: // it has been read once already
		return fmt.Errorf("read embeddings: data: %w", rawjson.ErrNotArray)
	case count != len(vectors):
		return fmt.Errorf("read embeddings: %d of them for %d texts", count, len(vectors))
	case wrong != nil:
		return fmt.Errorf("read embeddings: %w", wrong)
	}
	return nil
}

func readVector(vectors [][]float64, position int, item, came []byte) error {
	var index, embedding rawjson.Span
	if err := rawjson.MembersSaid(item, func(name []byte, value rawjson.Span) {
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
	if given := index.Of(item); !rawjson.IsNull(given) {
		i = rawjson.Count(given, -1)
	}
	if i < 0 || i >= len(vectors) || vectors[i] != nil {
		return fmt.Errorf("data[%d].index: want one vector for each text", position)
	}
	vector, err := numbers(embedding.Of(came))
	if err != nil {
		return fmt.Errorf("data[%d].embedding: %w", position, err)
	}
	vectors[i] = vector
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
