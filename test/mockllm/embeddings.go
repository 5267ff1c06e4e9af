package mockllm

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	defaultDimensions = 8
	maxDimensions     = 4096
)

// embeddingsRequest is the part of a request that the mock acts upon.
type embeddingsRequest struct {
	Model          string `json:"model"`
	Input          texts  `json:"input"`
	Dimensions     *int   `json:"dimensions"`
	EncodingFormat string `json:"encoding_format"`
}

// texts are one text, or several.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]string)(t))
	}
	*t = make(texts, 1)
	return json.Unmarshal(data, &(*t)[0])
}

func (r *embeddingsRequest) dimensions() int {
	if r.Dimensions == nil {
		return defaultDimensions
	}
	return *r.Dimensions
}

func (r *embeddingsRequest) check() *refusal {
	switch {
	case r.Model == "" || len(r.Input) == 0:
		return &refusal{http.StatusBadRequest, "missing_field", "model and input are required."}
	case !slices.Contains([]string{"", "float", "base64"}, r.EncodingFormat):
		return &refusal{http.StatusBadRequest, "unsupported_value", "encoding_format must be float or base64."}
	case r.dimensions() < 1 || r.dimensions() > maxDimensions:
		return &refusal{http.StatusBadRequest, "invalid_value", fmt.Sprintf("dimensions must be from 1 to %d.", maxDimensions)}
	}
	return nil
}

// planEmbeddings follows a script as planChat does; a text stands for a message.
func (s *Server) planEmbeddings(r *http.Request, body []byte) (*exchange, *refusal) {
	var req embeddingsRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_json", "The body is not an embeddings request: " + err.Error()}
	}
	if wrong := req.check(); wrong != nil {
		return nil, wrong
	}
	var messages []message
	for _, text := range req.Input {
		messages = append(messages, message{Role: "user", Content: content(text)})
	}
	script, wrong := s.script(r.Header, messages, req.Model)
	if wrong != nil {
		return nil, wrong
	}
	return &exchange{script: script, answer: func(ctx context.Context, out *sender) error {
		body, err := json.Marshal(req.answer())
		if err != nil {
			return err
		}
		return out.document(ctx, document{script: script, body: body, due: time.Duration(script.FirstTokenDelay)})
	}}, nil
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // numbers, or text in base64
}

type embeddingsAnswer struct {
	Object string      `json:"object"`
	Data   []embedding `json:"data"`
	Model  string      `json:"model"`
	Usage  struct {
		PromptTokens int `json:"prompt_tokens"`
		TotalTokens  int `json:"total_tokens"`
	} `json:"usage"`
}

func (r *embeddingsRequest) answer() *embeddingsAnswer {
	a := &embeddingsAnswer{Object: "list", Model: r.Model}
	for i, text := range r.Input {
		text = withoutScript(text)
		a.Data = append(a.Data, embedding{Object: "embedding", Index: i, Embedding: r.encoded(vector(text, r.dimensions()))})
		a.Usage.PromptTokens += words(text)
	}
	a.Usage.TotalTokens = a.Usage.PromptTokens
	return a
}

// encoded is a vector as the request wants it: in base64 the numbers are float32, the lowest byte first.
func (r *embeddingsRequest) encoded(v []float64) any {
	if r.EncodingFormat != "base64" {
		return v
	}
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(x)))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// vector is of length 1, and the same for the same words, whatever their
// order: each word counts in a dimension of its own choice, up or down.
func vector(text string, dimensions int) []float64 {
	v := make([]float64, dimensions)
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(word)) // a hash takes everything
		sum := h.Sum64()
		v[sum>>1%uint64(dimensions)] += 1 - 2*float64(sum&1) //nolint:gosec // G115: it is from 1 up.
	}
	square := 0.0
	for _, x := range v {
		square += x * x
	}
	if square == 0 {
		v[0], square = 1, 1
	}
	for i := range v {
		v[i] /= math.Sqrt(square)
	}
	return v
}
