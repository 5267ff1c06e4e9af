package flow

import (
	"context"
	"fmt"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// embeddings asks a model for the vectors of texts.
type embeddings struct {
	*program.Embeddings

	target target
}

// Embeddings implements program.Kinds.
func (c *compiler) Embeddings(e *program.Embeddings) made {
	target, err := c.target(e.Candidates(), e.Choice)
	return made{&embeddings{e, target}, err}
}

func (e *embeddings) perform(ctx context.Context, f *frame) (any, error) {
	target, err := e.target.of(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("embeddings.%w", err)
	}
	texts, err := e.texts(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("embeddings.input: %w", err)
	}
	if len(texts) == 0 { // upstreams refuse an empty list
		return map[string]any{"vectors": []any{}, "usage": nil}, nil
	}
	request := &llm.Embeddings{Input: texts}
	if e.Parameters != nil {
		if request.Parameters, err = f.json(ctx, e.Parameters); err != nil {
			return nil, fmt.Errorf("embeddings.parameters: %w", err)
		}
	}
	c, err := f.charge(ctx, 1) // the number of tokens is unknown before
	if err != nil {
		return nil, err
	}
	defer c.settle()
	vectors, err := e.ask(ctx, c, target, request)
	if err != nil {
		return nil, err
	}
	return map[string]any{"vectors": lists(vectors.Vectors), "usage": decoded(ctx, vectors.Usage)}, nil
}

// ask makes the call.
func (e *embeddings) ask(
	ctx context.Context, c *charge, target *upstream.Upstream, request *llm.Embeddings,
) (*llm.Vectors, error) {
	var vectors *llm.Vectors
	plan := c.planOf(target, func(u *upstream.Upstream) (*upstream.Question, error) {
		asked, err := u.Dialect.AskEmbeddings(request, u.Model)
		if err != nil {
			return nil, err //nolint:wrapcheck // it names the member
		}
		q := upstream.NewQuestion(asked)
		q.Read = func(a *upstream.Fetched) error {
			return c.replace(ctx, a.Body, schema.DecodedBytes(a.Body), func() (err error) {
				if vectors, err = u.Dialect.ReadVectors(a.Body, len(request.Input)); err != nil {
					return err //nolint:wrapcheck // it names what is wrong with the answer
				}
				q.Used.Count(llm.InputAlone(vectors.Tokens), 0)
				return nil
			})
		}
		return q, nil
	})
	_, err := c.fetch(ctx, plan, upstream.Expect{})
	return vectors, err
}

// texts are those of the input: one, or a list of them.
func (e *embeddings) texts(ctx context.Context, f *frame) ([]string, error) {
	value, err := f.value(ctx, e.Input)
	if err != nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	texts := make([]string, len(list))
	for i, item := range list {
		if texts[i], ok = item.(string); !ok {
			return nil, f.misfit(e.Input.Reads(), "returns a value that is not a text", fmt.Errorf("item %d is %T, want a string", i, item))
		}
	}
	return texts, nil
}

// lists are vectors as lists for templates.
func lists(vectors [][]float64) []any {
	all := make([]any, len(vectors))
	for i, vector := range vectors {
		numbers := make([]any, len(vector))
		for j, n := range vector {
			numbers[j] = n
		}
		all[i] = numbers
	}
	return all
}
