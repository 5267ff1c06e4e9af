package scenario

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/llmservice/llmservice/controllers/render"
)

// written are the resources that the operator writes and nobody else does while a cluster is left alone: what other
// controllers and the kubelet write of these objects are subresources that are not named here.
var written = func() map[string]bool {
	all := map[string]bool{"llmservices": true, "llmservices/status": true, "pods": true, "events": true}
	for _, kind := range render.Kinds() {
		plural, _ := meta.UnsafeGuessKindToResource(kind.GroupVersionKind)
		all[plural.Resource] = true
	}
	return all
}()

// DELETECOLLECTION is not among them: the operator has no right to it, and the end of a namespace is made of it.
var writeVerbs = map[string]bool{"POST": true, "PUT": true, "PATCH": true, "APPLY": true, "DELETE": true}

// Writes is the API server's count of the write requests for what the operator writes, by resource, those included
// that changed nothing. It counts what anybody wrote, so a cluster in which somebody works shows it growing.
func (c *Cluster) Writes(ctx context.Context) (map[string]int, error) {
	text, err := c.core.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("metrics of the API server: %w", err)
	}
	count, err := writesOf(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("metrics of the API server: %w", err)
	}
	return count, nil
}

func writesOf(metrics io.Reader) (map[string]int, error) {
	samples, err := samplesOf(metrics, "apiserver_request_total")
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, s := range samples {
		resource := string(s.Metric["resource"])
		if sub := string(s.Metric["subresource"]); sub != "" {
			resource += "/" + sub
		}
		if written[resource] && writeVerbs[string(s.Metric["verb"])] && s.Metric["dry_run"] == "" {
			count[resource] += int(s.Value)
		}
	}
	return count, nil
}

// samplesOf reads the samples of one metric in Prometheus' text format; a metric that is not there has none.
func samplesOf(text io.Reader, name string) (model.Vector, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	family, there := families[name]
	if !there {
		return nil, nil
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, family)
	if err != nil {
		return nil, fmt.Errorf("read metric %s: %w", name, err)
	}
	return samples, nil
}
