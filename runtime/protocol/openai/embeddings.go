package openai

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// EmbeddingsPath is the embeddings endpoint, relative to an upstream's base URL.
const EmbeddingsPath = "/embeddings"

// Embeddings is a request for the vectors of texts.
type Embeddings struct {
	// Input is sent as a list, also where it is one text.
	Input []string
	// Parameters is an object of further members; nil for none. Model, input and encoding_format are not theirs to say.
	Parameters jsontext.Value
}

// Body returns the request for a model. Parameters that are not an object are an error.
func (e *Embeddings) Body(model string) ([]byte, error) {
	input := list(e.Input, quote)
	body := object{}.with("model", quote(model)).with("input", input).with("encoding_format", quote("float"))
	err := eachParameter(e.Parameters, func(name string, value []byte) {
		if name != "model" && name != "input" && name != "encoding_format" {
			body = body.with(name, value)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
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
// error; so are vectors in base64, which were not asked for.
func ParseEmbeddings(body []byte, texts int) (*Vectors, error) {
	var answer struct {
		Data []struct {
			Index     *int      `json:"index"`
			Embedding []float64 `json:"embedding"`
		} `json:"data"`
		Usage jsontext.Value `json:"usage"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read embeddings: %w", unquoted(err))
	}
	if len(answer.Data) != texts {
		return nil, fmt.Errorf("read embeddings: %d of them for %d texts", len(answer.Data), texts)
	}
	v := &Vectors{Vectors: make([][]float64, texts), Usage: asUsage(answer.Usage)}
	v.Tokens = tokens(v.Usage)
	for i, d := range answer.Data {
		if d.Index != nil {
			i = *d.Index
		}
		if i < 0 || i >= texts || v.Vectors[i] != nil || len(d.Embedding) == 0 {
			return nil, errors.New("read embeddings: want one vector for each text")
		}
		v.Vectors[i] = d.Embedding
	}
	return v, nil
}
