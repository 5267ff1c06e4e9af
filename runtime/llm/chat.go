package llm

import "github.com/go-json-experiment/json/jsontext"

// Chat is a request for a completion.
type Chat struct {
	Messages []Message
	// Tools are the functions that the model may ask for.
	Tools []Tool
	// ToolChoice is none, auto or required, or the name of the tool that has to be called; empty says nothing.
	ToolChoice string
	// ParallelToolCalls lets the model ask for several at once; nil leaves it unset.
	ParallelToolCalls *bool
	// Output asks for an answer that is JSON.
	Output *Output
	Stream bool
	// IncludeUsage asks for the usage at the end of a stream, where Parameters say nothing of it.
	IncludeUsage bool
	// CountUsage does the same for the gateway itself: nobody else asked for it.
	CountUsage bool
	// MaxTokens, above 0, is the most that the answer may have. It lowers what Parameters say.
	MaxTokens int64
	// Temperature and TopP control how the model picks its words, and Stop ends the answer; nil leaves them unset.
	Temperature, TopP *float64
	Stop              []string
	// Parameters is an object of further members, in the words of the dialect that is asked; nil for none. One that is null
	// is left out. What the fields above have set takes precedence.
	Parameters jsontext.Value
}

// Tool describes a function to the model.
type Tool struct {
	Name        string
	Description string
	// Parameters is a JSON Schema; nil for a function without any.
	Parameters jsontext.Value
}

// Output is what an answer shall be: a JSON object of any kind, or of a JSON Schema.
type Output struct {
	// Name is of letters, digits, underscores and dashes, 64 at most.
	Name string
	// Schema is nil for any object.
	Schema jsontext.Value
	// Strict makes the upstream refuse schemas that it cannot hold the model to.
	Strict bool
}

// Size is about how many bytes the request has as JSON.
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
	// Parameters are a Chat's.
	Parameters jsontext.Value
}

// Vectors is an answer with embeddings.
type Vectors struct {
	// Vectors are in the order of the texts.
	Vectors [][]float64
	// Usage is a Completion's.
	Usage jsontext.Value
	// Tokens is what could be read of Usage.
	Tokens Tokens
}
