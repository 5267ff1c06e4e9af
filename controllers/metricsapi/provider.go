package metricsapi

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
)

var services = schema.GroupResource{Group: v1alpha1.Group, Resource: v1alpha1.Resource}

var _ provider.CustomMetricsProvider = (*Provider)(nil)

// Provider answers with the requests in flight of LLMServices, and knows no other metric.
type Provider struct {
	// Services reads LLMServices, from a cache.
	Services client.Reader
	// Namespaces are those that the reader reads; none for all. Services of others have no metric.
	Namespaces []string
	// Load returns what is known of a service's pods.
	Load func(types.NamespacedName) load.ServiceLoad
}

// ListAllMetrics implements provider.CustomMetricsProvider.
func (p *Provider) ListAllMetrics() []provider.CustomMetricInfo {
	return []provider.CustomMetricInfo{{GroupResource: services, Namespaced: true, Metric: render.MetricInFlight}}
}

// GetMetricByName returns the metric of one service. It failsif no pod of the service could be read recently: the
// HPA controller then leaves the replicas as they are, whereas a zero would scale a busy service down.
func (p *Provider) GetMetricByName(
	ctx context.Context, name types.NamespacedName, info provider.CustomMetricInfo, metricSelector labels.Selector,
) (*custom_metrics.MetricValue, error) {
	if !p.serves(name.Namespace, info, metricSelector) {
		return nil, provider.NewMetricNotFoundForError(info.GroupResource, info.Metric, name.Name)
	}
	var service v1alpha1.LLMService
	if err := p.Services.Get(ctx, name, &service); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, provider.NewMetricNotFoundForError(info.GroupResource, info.Metric, name.Name)
		}
		return nil, fmt.Errorf("read %s %s: %w", v1alpha1.Kind, name, err)
	}
	value, ok := p.inFlight(&service)
	if !ok {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no replica of %s %s could be read recently", v1alpha1.Kind, name))
	}
	return value, nil
}

// GetMetricBySelector returns the metric of each selected service that has a pod that could be read recently.
func (p *Provider) GetMetricBySelector(
	ctx context.Context, namespace string, selector labels.Selector, info provider.CustomMetricInfo, metricSelector labels.Selector,
) (*custom_metrics.MetricValueList, error) {
	if !p.serves(namespace, info, metricSelector) {
		return nil, provider.NewMetricNotFoundError(info.GroupResource, info.Metric)
	}
	var list v1alpha1.LLMServiceList
	err := p.Services.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return nil, fmt.Errorf("list %s in namespace %s: %w", v1alpha1.Kind, namespace, err)
	}
	values := &custom_metrics.MetricValueList{}
	for i := range list.Items {
		if value, ok := p.inFlight(&list.Items[i]); ok {
			values.Items = append(values.Items, *value)
		}
	}
	return values, nil
}

// serves reports whether there is such a metric. It has no labels, so a selector that wants some finds none.
func (p *Provider) serves(namespace string, info provider.CustomMetricInfo, metricSelector labels.Selector) bool {
	if len(p.Namespaces) > 0 && !slices.Contains(p.Namespaces, namespace) {
		return false
	}
	return info.GroupResource == services && info.Namespaced && info.Metric == render.MetricInFlight &&
		(metricSelector == nil || metricSelector.Matches(labels.Set{}))
}

func (p *Provider) inFlight(service *v1alpha1.LLMService) (*custom_metrics.MetricValue, bool) {
	known := p.Load(client.ObjectKeyFromObject(service))
	inFlight, ok := known.InFlight()
	if !ok {
		return nil, false
	}
	return &custom_metrics.MetricValue{
		DescribedObject: custom_metrics.ObjectReference(corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(),
			Kind:       v1alpha1.Kind,
			Namespace:  service.Namespace,
			Name:       service.Name,
			UID:        service.UID,
		}),
		Metric:    custom_metrics.MetricIdentifier{Name: render.MetricInFlight},
		Timestamp: metav1.NewTime(known.Taken),
		Value:     *resource.NewQuantity(inFlight, resource.DecimalSI),
	}, true
}
