package samples

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/mockllm"
)

// Dir is where the manifests are, below the project's directory.
const Dir = "config/samples"

// The Secret that a sample's upstream takes its key from; any key will do.
const (
	SecretName = "llm-keys"
	SecretKey  = "openai"
)

// Sample is a manifest, and what it is there to show.
type Sample struct {
	// Name is the service's, and its file's without .yaml.
	Name string
	// upstreams are what plays the upstreams: paths of test/mockllm, by the upstreams' names.
	upstreams map[string]string
	check     func(context.Context, *Place) error
}

// Place is where a sample is served.
type Place struct {
	// URL is the service's, without a slash at the end.
	URL string
	// Stats are the figures of the mock that plays the sample's upstreams. It has no other clients meanwhile.
	Stats func(context.Context) (mockllm.Stats, error)
}

// The paths of test/mockllm that upstreams lead to.
const (
	model = "/v1"
	web   = "/http"
	echo  = "/http/echo"
	// Each of so many requests is answered once all of them have come.
	pair = "/meet/2"
	trio = "/meet/3"
)

// All are the samples, in the order of their files.
func All() []Sample {
	all := append(Cases(), Providers()...)
	slices.SortFunc(all, func(a, b Sample) int { return cmp.Compare(a.File(), b.File()) })
	return all
}

// Providers are a model of each provider, or server, that clients can be put in front of. They differ in what is sent to it.
func Providers() []Sample {
	var providers []Sample
	for _, name := range []string{"bedrock", "gemini", "ollama", "openai", "sglang", "vllm"} {
		providers = append(providers, Sample{name, map[string]string{name: model}, provider})
	}
	return providers
}

// Cases are the other samples, each of which does something else.
func Cases() []Sample {
	return []Sample{
		{"agent", map[string]string{"llm": model, "search": pair + web}, agent},
		{"assistant", map[string]string{"fast": model}, assistant},
		{"azure", map[string]string{"azure": model}, provider},
		{"chat", map[string]string{"llm": model}, chat},
		{"dependencies", map[string]string{"llm": model, "tickets": web}, dependencies},
		{"fallback", map[string]string{"large": model, "small": model}, fallback},
		{"gather", map[string]string{"shop": trio + echo, "recommender": trio + echo}, gather},
		{"hedge", map[string]string{"near": model, "far": model}, hedge},
		{"minimal", map[string]string{"fast": model}, minimal},
		{"rag-model", map[string]string{"llm": model, "search": web}, ragModel},
		{"rag", map[string]string{"llm": model, "docs": pair + web, "wiki": pair + web}, rag},
		{"structured-output", map[string]string{"llm": model}, structuredOutput},
		{"summarize", map[string]string{"hosted": model, "local": model}, summarize},
		{"support", map[string]string{
			"big": model, "small": model, "backup": model, "crm": pair + web, "kb": pair + web, "tickets": web,
		}, support},
		{"timeout", map[string]string{"llm": model}, timeout},
		{"upload", map[string]string{"llm": model}, upload},
		{"vote", map[string]string{"qwen": trio + model, "llama": trio + model, "mistral": trio + model}, vote},
	}
}

// File is the manifest's, below the project's directory.
func (s Sample) File() string { return Dir + "/" + s.Name + ".yaml" }

// CallMock makes the mock at a base URL play all of the service's upstreams.
func (s Sample) CallMock(service *v1alpha1.LLMService, mock string) error {
	for i := range service.Spec.Upstreams {
		u := &service.Spec.Upstreams[i]
		path, known := s.upstreams[u.Name]
		if !known {
			return fmt.Errorf("sample %s: nothing plays the upstream %q", s.Name, u.Name)
		}
		u.Endpoints = []v1alpha1.Endpoint{{URL: mock + path}}
	}
	return nil
}

// Check fails unless the sample does at a place what it is there to show.
func (s Sample) Check(ctx context.Context, p *Place) error {
	if err := s.check(ctx, p); err != nil {
		return fmt.Errorf("sample %s: %w", s.Name, err)
	}
	return nil
}
