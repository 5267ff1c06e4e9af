package scenario

import (
	"context"
	"fmt"
	"net/http"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

// The sample that the demo and most tests apply, and what of it they use.
const (
	SampleFile  = "config/samples/assistant.yaml"
	SampleRoute = "/answer"
	SampleField = "question"
)

// SampleUpstreamNamespace is the namespace of the servers that the sample's URLs lead to.
const SampleUpstreamNamespace = "models"

// SampleUpstreams are the names of those servers.
func SampleUpstreams() []string { return []string{"vllm-a", "vllm-b"} }

// ApplySample applies the sample in a namespace, unless edit changes it, and returns the service as soon as it is
// Ready.
func (c *Cluster) ApplySample(
	ctx context.Context, namespace string, edit func(*v1alpha1.LLMService),
) (*Service, error) {
	return c.ApplyFile(ctx, namespace, SampleFile, edit)
}

// ApplyFile is ApplySample for another file.
func (c *Cluster) ApplyFile(
	ctx context.Context, namespace, file string, edit func(*v1alpha1.LLMService),
) (*Service, error) {
	sample, err := c.Sample(file)
	if err != nil {
		return nil, err
	}
	if edit != nil {
		edit(sample)
	}
	service, err := c.Apply(ctx, namespace, sample)
	if err != nil {
		return nil, err
	}
	_, err = service.AwaitReady(ctx)
	return service, err
}

// Ask is a call of the sample's route that makes the upstream follow a script.
func Ask(url string) func(streams.Script) streams.Call {
	return func(script streams.Script) streams.Call { return script.Field(url+SampleRoute, SampleField) }
}

// EditPrompt puts words before what the sample's route asks its model.
func (s *Service) EditPrompt(ctx context.Context, words string) error {
	_, err := s.Edit(ctx, func(spec *v1alpha1.LLMServiceSpec) {
		for i := range spec.Routes {
			if spec.Routes[i].Path != SampleRoute {
				continue
			}
			messages := spec.Routes[i].Steps[0].Chat.Messages
			last := &messages[len(messages)-1]
			last.Content = words + " " + last.Content
		}
	})
	return err
}

// Prompt is the last message that reaches the upstream when the sample's route is asked.
func (s *Service) Prompt(ctx context.Context) (string, error) {
	url, err := s.URL(ctx)
	if err != nil {
		return "", err
	}
	return echo(ctx, streams.NewClient(), url)
}

func echo(ctx context.Context, client *http.Client, url string) (string, error) {
	result := streams.Stream(ctx, client, streams.Echo().Field(url+SampleRoute, SampleField), nil)
	if result.Ending != streams.Done {
		return "", fmt.Errorf("ask %s: %s", SampleRoute, result)
	}
	return result.Text, nil
}
