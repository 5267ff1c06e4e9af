package metricsapi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/runtime/config/report"
)

var (
	taken    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	inFlight = provider.CustomMetricInfo{
		GroupResource: schema.GroupResource{Group: "serving.llmservice.dev", Resource: "llmservices"}, Namespaced: true, Metric: "inflight",
	}
	all = labels.Everything()
)

func service(namespace, name, team string) *v1alpha1.LLMService {
	return &v1alpha1.LLMService{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name), Labels: map[string]string{"team": team},
	}}
}

// asked is a provider of two services that have readings, one whose readings are old, and one in another namespace.
func asked(t *testing.T, faults interceptor.Funcs) *Provider {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	pods := func(age time.Duration, counts ...int64) load.ServiceLoad {
		result := load.ServiceLoad{Taken: taken}
		for _, n := range counts {
			result.Pods = append(result.Pods, load.PodLoad{
				ReadySince: taken.Add(-time.Hour), Seen: taken.Add(-age), Status: report.Status{InFlight: n},
			})
		}
		return result
	}
	loads := map[types.NamespacedName]load.ServiceLoad{
		{Namespace: "team-a", Name: "busy"}:  pods(time.Second, 5, 37),
		{Namespace: "team-a", Name: "idle"}:  pods(time.Second, 0),
		{Namespace: "team-a", Name: "lost"}:  pods(time.Hour, 9),
		{Namespace: "team-b", Name: "other"}: pods(time.Second, 1),
		// It is not a service: what is left of one that was deleted has no metric.
		{Namespace: "team-a", Name: "gone"}: pods(time.Second, 3),
	}
	services := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(faults).WithObjects(
		service("team-a", "busy", "a"), service("team-a", "idle", "b"), service("team-a", "lost", "a"), service("team-b", "other", "a"),
	).Build()
	return &Provider{Services: services, Load: func(name types.NamespacedName) load.ServiceLoad { return loads[name] }}
}

func valueOf(name string, value int64) custom_metrics.MetricValue {
	return custom_metrics.MetricValue{
		DescribedObject: custom_metrics.ObjectReference{
			APIVersion: "serving.llmservice.dev/v1alpha1", Kind: "LLMService", Namespace: "team-a", Name: name, UID: types.UID("uid-of-" + name),
		},
		Metric:    custom_metrics.MetricIdentifier{Name: "inflight"},
		Timestamp: metav1.NewTime(taken), Value: *resource.NewQuantity(value, resource.DecimalSI),
	}
}

func TestTheMetricOfOneService(t *testing.T) {
	p := asked(t, interceptor.Funcs{})
	for name, want := range map[string]int64{"busy": 42, "idle": 0} {
		got, err := p.GetMetricByName(t.Context(), types.NamespacedName{Namespace: "team-a", Name: name}, inFlight, all)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(valueOf(name, want), *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestWhatIsNotKnownIsNoZero: the HPA controller leaves the replicas as they are upon an error, and scales down upon a zero.
func TestWhatIsNotKnownIsNoZero(t *testing.T) {
	broken := errors.New("the cache has ended")
	another := func(change func(*provider.CustomMetricInfo)) provider.CustomMetricInfo {
		info := inFlight
		change(&info)
		return info
	}
	pods := schema.GroupResource{Resource: "pods"}
	for name, tt := range map[string]struct {
		service  string
		info     provider.CustomMetricInfo
		selector labels.Selector
		faults   interceptor.Funcs
		want     func(error) bool
	}{
		"readings that are old":  {"lost", inFlight, all, interceptor.Funcs{}, apierrors.IsServiceUnavailable},
		"a service that is gone": {"gone", inFlight, all, interceptor.Funcs{}, apierrors.IsNotFound},
		"another metric": {
			"busy", another(func(i *provider.CustomMetricInfo) { i.Metric = "cpu" }), all, interceptor.Funcs{}, apierrors.IsNotFound,
		},
		"another kind": {
			"busy", another(func(i *provider.CustomMetricInfo) { i.GroupResource = pods }), all, interceptor.Funcs{}, apierrors.IsNotFound,
		},
		"of the cluster": {
			"busy", another(func(i *provider.CustomMetricInfo) { i.Namespaced = false }), all, interceptor.Funcs{}, apierrors.IsNotFound,
		},
		"a metric with labels": {
			"busy", inFlight, labels.SelectorFromSet(labels.Set{"model": "m"}), interceptor.Funcs{}, apierrors.IsNotFound,
		},
		"a cache that fails": {"busy", inFlight, all, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return broken
			},
		}, func(err error) bool { return errors.Is(err, broken) && strings.Contains(err.Error(), "team-a/busy") }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := asked(t, tt.faults).GetMetricByName(t.Context(), types.NamespacedName{Namespace: "team-a", Name: tt.service}, tt.info, tt.selector)
			if got != nil || !tt.want(err) {
				t.Errorf("GetMetricByName() = %+v, %v", got, err)
			}
		})
	}
}

// An operator that watches some namespaces has no metric for services of others, and does not fail for the question.
func TestServicesOfOtherNamespacesHaveNoMetric(t *testing.T) {
	p := asked(t, interceptor.Funcs{})
	p.Namespaces = []string{"team-b"}
	_, err := p.GetMetricByName(t.Context(), types.NamespacedName{Namespace: "team-a", Name: "busy"}, inFlight, nil)
	if !apierrors.IsNotFound(err) {
		t.Errorf("by name: %v", err)
	}
	if _, err = p.GetMetricBySelector(t.Context(), "team-a", all, inFlight, nil); !apierrors.IsNotFound(err) {
		t.Errorf("by selector: %v", err)
	}
	p.Namespaces = []string{"team-a", "team-b"}
	if got, err := p.GetMetricByName(t.Context(), types.NamespacedName{Namespace: "team-a", Name: "busy"}, inFlight, nil); err != nil || got == nil {
		t.Errorf("of a namespace that is watched: %v, %v", got, err)
	}
}

func TestTheMetricOfSelectedServices(t *testing.T) {
	p := asked(t, interceptor.Funcs{})
	for name, tt := range map[string]struct {
		selector labels.Selector
		want     []custom_metrics.MetricValue
	}{
		"all, but for one that is not known": {all, []custom_metrics.MetricValue{valueOf("busy", 42), valueOf("idle", 0)}},
		"by a label":                         {labels.SelectorFromSet(labels.Set{"team": "a"}), []custom_metrics.MetricValue{valueOf("busy", 42)}},
		"none":                               {labels.SelectorFromSet(labels.Set{"team": "c"}), nil},
	} {
		got, err := p.GetMetricBySelector(t.Context(), "team-a", tt.selector, inFlight, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		slices.SortFunc(got.Items, func(a, b custom_metrics.MetricValue) int {
			return strings.Compare(a.DescribedObject.Name, b.DescribedObject.Name)
		})
		if diff := cmp.Diff(tt.want, got.Items); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := p.GetMetricBySelector(t.Context(), "team-a", all, provider.CustomMetricInfo{Metric: "cpu"}, nil); !apierrors.IsNotFound(err) {
		t.Errorf("another metric: %v", err)
	}
	broken := errors.New("the cache has ended")
	p = asked(t, interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return broken },
	})
	if got, err := p.GetMetricBySelector(t.Context(), "team-a", all, inFlight, nil); got != nil || !errors.Is(err, broken) {
		t.Errorf("a cache that fails: %+v, %v", got, err)
	}
}

// TestDiscovery: what the API lists is what it answers.
func TestDiscovery(t *testing.T) {
	if diff := cmp.Diff([]provider.CustomMetricInfo{inFlight}, asked(t, interceptor.Funcs{}).ListAllMetrics()); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io"}, APIServices()); diff != "" {
		t.Errorf("APIServices (-want +got):\n%s", diff)
	}
}
