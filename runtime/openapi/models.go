package openapi

import (
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/problem"
)

// addModels describes the OpenAI-compatible endpoint.
func (d *document) addModels(models []config.Model) error {
	if len(models) == 0 {
		return nil
	}
	if err := d.include(modelsPart); err != nil {
		return err
	}
	if err := d.useStream(chunks); err != nil {
		return err
	}
	for _, f := range failures {
		if err := d.addFailure("OpenAI", f, schemaRef("OpenAIError"), problem.OpenAI); err != nil {
			return err
		}
	}
	names := make([]string, len(models))
	for i := range models {
		names[i] = models[i].Name
	}
	if err := d.addModelName(names); err != nil {
		return err
	}
	return d.addChatBody(names[0])
}

func (d *document) addModelName(names []string) error {
	schema, err := encode(struct {
		Title string   `json:"title"`
		Type  string   `json:"type"`
		Enum  []string `json:"enum"`
	}{"ModelName", "string", names})
	if err != nil {
		return err
	}
	d.Components.Schemas.add("ModelName", schema)
	return nil
}

// addChatBody describes a chat completion request with an example that can be sent as it is: one made of the schema
// would have every optional member in it.
func (d *document) addChatBody(model string) error {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	example, err := encode(struct {
		Model    string    `json:"model"`
		Messages []message `json:"messages"`
		Stream   bool      `json:"stream"`
	}{model, []message{{"user", "Hello"}}, true})
	if err != nil {
		return err
	}
	body := requestBody{Required: true, Content: content(jsonType, schemaRef("ChatCompletionRequest"))}
	body.Content[0].value.Example = example
	encoded, err := encode(body)
	if err != nil {
		return err
	}
	d.Components.RequestBodies.add("ChatCompletion", encoded)
	return nil
}
