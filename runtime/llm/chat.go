package llm

import "github.com/go-json-experiment/json/jsontext"

// Chat is a request for a completion.
type Chat struct {
	Messages []Message
	// Tools are the functions that the model may call.
	Tools []Tool
	// ToolChoice is none, auto or required, or the name of the tool that has to be called; empty leaves it unset.
	ToolChoice string
	// ParallelToolCalls allows the model several calls at once; nil leaves it unset.
	ParallelToolCalls *bool
	// Output asks for an answer in JSON.
	Output *Output
	Stream bool
	// IncludeUsage asks for the usage at the end of a stream, unless Parameters decide that.
	IncludeUsage bool
	// CountUsage does the same for the gateway itself: the client and the route did not ask for it.
	CountUsage bool
	// MaxTokens, if above 0, bounds the tokens of the answer. It lowers the limit in Parameters.
	MaxTokens int64
	// Temperature and TopP control sampling, and Stop ends the answer; nil leaves them unset.
	Temperature, TopP *float64
	Stop              []string
	// Parameters is an object of further members, in the words of the upstream's dialect; nil for none. One that is null is
	// left out. The fields above take precedence.
	Parameters jsontext.Value
}

// Tool describes a function to the model.
type Tool struct {
	Name        string
	Description string
	// Parameters is a JSON Schema; nil for a function without parameters.
	Parameters jsontext.Value
}

// Output is the form of an answer: any JSON object, or one that satisfies a JSON Schema.
type Output struct {
	// Name consists of at most 64 letters, digits, underscores and dashes.
	Name string
	// Schema is nil for any object.
	Schema jsontext.Value
	// Strict makes the upstream refuse schemas that it cannot enforce.
	Strict bool
}

// Size is the approximate size of the request as JSON, in bytes.
func (c *Chat) Size() int {
	size := len(c.Parameters)
	for i := range c.Messages {
		size += c.Messages[i].size()
	}
	for i := range c.Tools {
		size += len(c.Tools[i].Description) + len(c.Tools[i].Parameters)
	}
	if c.Output != nil {
		size += len(c.Output.Schema)
	}
	return size
}

// Embeddings is a request for the vectors of texts.
type Embeddings struct {
	Input []string
	// Parameters are like those of a Chat.
	Parameters jsontext.Value
}

// Vectors is an answer with embeddings.
type Vectors struct {
	// Vectors are in the order of the texts.
	Vectors [][]float64
	// Usage is like that of a Completion.
	Usage jsontext.Value
	// Tokens is the part of Usage that could be read.
	Tokens Tokens
}
