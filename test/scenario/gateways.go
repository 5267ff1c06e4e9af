package scenario

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// Pods are the service's pods, those that end included, in the order of their names.
func (s *Service) Pods(ctx context.Context) ([]corev1.Pod, error) {
	object, err := s.Get(ctx)
	if err != nil {
		return nil, err
	}
	selector, err := labels.Parse(object.Status.Selector)
	if err != nil {
		return nil, fmt.Errorf("status.selector of LLMService %s: %w", s.key, err)
	}
	if selector.Empty() {
		return nil, fmt.Errorf("status.selector of LLMService %s is empty", s.key)
	}
	var list corev1.PodList
	err = s.cluster.List(ctx, &list,
		client.InNamespace(s.key.Namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return nil, fmt.Errorf("list pods of LLMService %s: %w", s.key, err)
	}
	return list.Items, nil
}

// Live are the pods that take requests.
func (s *Service) Live(ctx context.Context) ([]corev1.Pod, error) {
	pods, err := s.Pods(ctx)
	return slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil || !ready(&p) }), err
}

func ready(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// AwaitReplicas waits until as many pods as ok wants are live and none besides is on its way up or down.
func (s *Service) AwaitReplicas(
	ctx context.Context, limit time.Duration, what string, ok func(n int) bool,
) (time.Duration, error) {
	return Await(ctx, limit, what, func(ctx context.Context) error {
		all, err := s.Pods(ctx)
		if err != nil {
			return err
		}
		live, err := s.Live(ctx)
		if err != nil {
			return err
		}
		if len(all) != len(live) || !ok(len(live)) {
			return fmt.Errorf("%d pods, %d of them live", len(all), len(live))
		}
		return nil
	})
}

// Status asks a gateway what it says of itself.
func Status(ctx context.Context, pod *corev1.Pod) (report.Status, error) {
	var status report.Status
	address := net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(delivery.AdminPort))
	if err := getJSON(ctx, "http://"+address+report.StatusPath, &status); err != nil {
		return status, fmt.Errorf("status of pod %s: %w", pod.Name, err)
	}
	return status, nil
}

// Revision is the config that all live gateways say they serve. It failsif they differ.
func (s *Service) Revision(ctx context.Context) (string, error) {
	pods, err := s.Live(ctx)
	if err != nil {
		return "", err
	}
	if len(pods) == 0 {
		return "", fmt.Errorf("LLMService %s has no live pod", s.key)
	}
	var revision string
	for i := range pods {
		status, err := Status(ctx, &pods[i])
		if err != nil {
			return "", err
		}
		if i > 0 && status.Revision != revision {
			return "", fmt.Errorf("pod %s serves revision %s, another one %s", pods[i].Name, status.Revision, revision)
		}
		revision = status.Revision
	}
	return revision, nil
}

// AwaitAcknowledged waits until the service's status says that all replicas serve the present spec, and checks with
// the gateways themselves that it is so, and that their revision is another than before.
func (s *Service) AwaitAcknowledged(ctx context.Context, before string) (time.Duration, error) {
	what := fmt.Sprintf("every replica of LLMService %s serves the edited config", s.key)
	return Await(ctx, AcknowledgedWithin, what, func(ctx context.Context) error {
		revision, err := s.Revision(ctx)
		if err != nil {
			return err
		}
		if revision == before {
			return fmt.Errorf("all still serve revision %s", before)
		}
		if err := s.condition(ctx, v1alpha1.ConditionConfigApplied, metav1.ConditionTrue); err != nil {
			return fmt.Errorf("condition ConfigApplied: %w", err)
		}
		object, err := s.Get(ctx)
		if err != nil {
			return err
		}
		said := object.Status.Config
		if said == nil || said.Revision != revision || said.Acknowledged != object.Status.Replicas {
			return fmt.Errorf("the gateways serve revision %s; status.config is %+v with %d replicas",
				revision, said, object.Status.Replicas)
		}
		return nil
	})
}

// Lives remembers which pods there are and how often their containers have restarted.
type Lives map[types.UID]int32

// Lives notes the lives of the service's pods.
func (s *Service) Lives(ctx context.Context) (Lives, error) {
	pods, err := s.Live(ctx)
	lives := Lives{}
	for i := range pods {
		lives[pods[i].UID] = restarts(&pods[i])
	}
	return lives, err
}

func restarts(p *corev1.Pod) (n int32) {
	for i := range p.Status.ContainerStatuses {
		n += p.Status.ContainerStatuses[i].RestartCount
	}
	return n
}

// CheckLives failsif one of the pods is gone, or one of its containers has restarted. More pods are well.
func (s *Service) CheckLives(ctx context.Context, before Lives) error {
	after, err := s.Lives(ctx)
	if err != nil {
		return err
	}
	var wrong []string
	for uid, n := range before {
		now, there := after[uid]
		switch {
		case !there:
			wrong = append(wrong, fmt.Sprintf("pod %s is no longer live", uid))
		case now != n:
			wrong = append(wrong, fmt.Sprintf("a container of pod %s has restarted %d times", uid, now-n))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("pods were restarted: %s", strings.Join(wrong, ", "))
	}
	return nil
}
