package render

import (
	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

func contractAction(a *v1alpha1.Action) config.Action {
	return config.Action{
		Chat:       contractChat(a.Chat),
		Embeddings: contractEmbeddings(a.Embeddings),
		HTTP:       contractHTTPCall(a.HTTP),
		Call:       contractCall(a.Call),
		Agent:      contractAgent(a.Agent),
	}
}

func contractChat(c *v1alpha1.Chat) *config.Chat {
	if c == nil {
		return nil
	}
	return &config.Chat{
		Upstream:   c.Upstream,
		Messages:   contractMessages(c.Messages),
		Parameters: jsonValue(c.Parameters),
		Output:     contractOutput(c.Output),
	}
}

func contractMessages(from []v1alpha1.Message) []config.Message {
	messages := make([]config.Message, len(from))
	for i, m := range from {
		messages[i] = config.Message{Role: string(m.Role), Content: m.Content, History: m.History}
	}
	return messages
}

func contractOutput(o *v1alpha1.Output) *config.Output {
	if o == nil {
		return nil
	}
	output := &config.Output{Schema: jsonValue(o.Schema), RepairAttempts: int(valueOf(o.RepairAttempts))}
	if o.ResponseFormat != v1alpha1.ResponseSchema {
		output.ResponseFormat = string(o.ResponseFormat) // gateways that know no other need not be told
	}
	return output
}

func contractEmbeddings(e *v1alpha1.Embeddings) *config.Embeddings {
	if e == nil {
		return nil
	}
	return &config.Embeddings{Upstream: e.Upstream, Input: e.Input, Parameters: jsonValue(e.Parameters)}
}

func contractHTTPCall(h *v1alpha1.HTTPCall) *config.HTTPCall {
	if h == nil {
		return nil
	}
	call := &config.HTTPCall{
		Upstream: h.Upstream,
		Method:   string(h.Method),
		Path:     h.Path,
		Query:    contractTemplates(h.Query),
		Headers:  contractTemplates(h.Headers),
		Body:     jsonValue(h.Body),
	}
	for _, status := range h.AllowStatus {
		call.AllowStatus = append(call.AllowStatus, int(status))
	}
	return call
}

func contractTemplates(from map[string]v1alpha1.HTTPTemplate) map[string]string {
	if len(from) == 0 {
		return nil
	}
	templates := make(map[string]string, len(from))
	for name, template := range from {
		templates[name] = string(template)
	}
	return templates
}

func contractCall(c *v1alpha1.Call) *config.Call {
	if c == nil {
		return nil
	}
	return &config.Call{Function: c.Function, Input: jsonValue(c.Input)}
}

func contractAgent(a *v1alpha1.Agent) *config.Agent {
	if a == nil {
		return nil
	}
	return &config.Agent{
		Upstream:    a.Upstream,
		Messages:    contractMessages(a.Messages),
		Tools:       a.Tools,
		MaxTurns:    int(a.MaxTurns),
		MaxParallel: int(a.MaxParallel),
		Parameters:  jsonValue(a.Parameters),
		Output:      contractOutput(a.Output),
	}
}
