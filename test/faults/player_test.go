package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// kubeletSync is when a kubelet finds a changed ConfigMap without being nudged.
const kubeletSync = 1500 * time.Millisecond

// player plays the Deployment controller, the kubelets, the gateways, the autoscaler and the garbage collector of a
// namespace, each as far as the operator can tell.
type player struct {
	run  *run
	wake chan struct{}

	mu       sync.Mutex
	gateways map[string]*gateway // by pod
	resting  bool
	// changed is when each revision was first there.
	changed map[string]time.Time
	// passes counts: what costs many requests is looked at now and then.
	passes int
}

func newPlayer(r *run) *player {
	return &player{run: r, wake: make(chan struct{}, 1), gateways: map[string]*gateway{}, changed: map[string]time.Time{}}
}

// cluster is what there is in the namespace at one moment.
type cluster struct {
	services    map[string]*v1alpha1.LLMService
	deployments []appsv1.Deployment
	pods        []corev1.Pod
	documents   map[string]*corev1.ConfigMap
	autoscalers []autoscalingv2.HorizontalPodAutoscaler
}

// play changes what there is to change whenever it is woken, and now and then, until the context ends.
func (p *player) play(ctx context.Context) {
	ticker := time.NewTicker(400 * time.Millisecond)
	defer ticker.Stop()
	for ctx.Err() == nil {
		changed, err := p.pass(ctx)
		if err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			p.run.notef("player: %v", err)
		}
		p.mu.Lock()
		p.resting = !changed && err == nil
		p.mu.Unlock()
		if changed {
			continue
		}
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-ticker.C:
		}
	}
}

// stir has the player look again.
func (p *player) stir() {
	p.mu.Lock()
	p.resting = false
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *player) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resting
}

// pass does one step of each part, and reports whether anything changed.
func (p *player) pass(ctx context.Context) (bool, error) {
	p.run.mu.Lock()
	defer p.run.mu.Unlock()
	c, err := p.run.observe(ctx)
	if err != nil {
		return false, err
	}
	changed := p.loadConfigs(c)
	for _, part := range []func(context.Context, *cluster) (bool, error){p.scale, p.collect, p.deploy} {
		did, err := part(ctx, c)
		if err != nil {
			return true, err
		}
		changed = changed || did
	}
	if !changed {
		p.run.rules.prove(c)
	}
	return changed, nil
}

func (r *run) observe(ctx context.Context) (*cluster, error) {
	c := &cluster{services: map[string]*v1alpha1.LLMService{}, documents: map[string]*corev1.ConfigMap{}}
	var services v1alpha1.LLMServiceList
	var deployments appsv1.DeploymentList
	var pods corev1.PodList
	var documents corev1.ConfigMapList
	var autoscalers autoscalingv2.HorizontalPodAutoscalerList
	for _, list := range []client.ObjectList{&services, &deployments, &pods, &documents, &autoscalers} {
		if err := api.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
			return nil, err
		}
	}
	for i := range services.Items {
		c.services[services.Items[i].Name] = &services.Items[i]
	}
	for i := range documents.Items {
		c.documents[documents.Items[i].Name] = &documents.Items[i]
	}
	c.deployments, c.pods, c.autoscalers = deployments.Items, pods.Items, autoscalers.Items
	return c, nil
}

// revision is that of the current config of a service; empty if there is none.
func (c *cluster) revision(service string) string {
	documents := c.documents[delivery.ConfigMapName(service)]
	if documents == nil || documents.Data[delivery.CurrentKey] == "" {
		return ""
	}
	return delivery.Revision([]byte(documents.Data[delivery.CurrentKey]))
}

// loadConfigs has gateways serve what their kubelets have found.
func (p *player) loadConfigs(c *cluster) bool {
	changed := false
	for i := range c.pods {
		pod := &c.pods[i]
		g := p.gateway(pod.Name)
		if g == nil {
			continue
		}
		revision := c.revision(pod.Labels[render.LabelInstance])
		if revision == "" || revision == g.revision() {
			continue
		}
		if p.changed[revision].IsZero() {
			p.changed[revision] = time.Now()
		}
		nudged := strings.HasPrefix(pod.Annotations[controllers.NudgeAnnotation], revision+".")
		if nudged || time.Since(p.changed[revision]) > kubeletSync {
			g.serve(revision)
			p.run.rules.served(pod.Labels[render.LabelInstance], revision)
			changed = true
		}
	}
	return changed
}

// scale plays an autoscaler without a metric: it keeps to its bounds.
func (p *player) scale(ctx context.Context, c *cluster) (bool, error) {
	for i := range c.autoscalers {
		spec := &c.autoscalers[i].Spec
		service := c.services[c.autoscalers[i].Name]
		if service == nil || service.Spec.Replicas == nil || !metav1.IsControlledBy(&c.autoscalers[i], service) {
			continue
		}
		want := min(max(*service.Spec.Replicas, *spec.MinReplicas), spec.MaxReplicas)
		if want != *service.Spec.Replicas {
			return true, p.run.scaleTo(ctx, service, want)
		}
	}
	return false, nil
}

// collect plays the garbage collector, which takes its time.
func (p *player) collect(ctx context.Context, c *cluster) (bool, error) {
	if p.passes++; p.passes%3 != 0 && len(c.services) > 0 {
		return false, nil
	}
	for _, kind := range childKinds {
		children, err := p.run.list(ctx, kind)
		if err != nil {
			return false, err
		}
		for _, child := range children {
			owner := metav1.GetControllerOf(child)
			if owner == nil || owner.Kind != v1alpha1.Kind {
				continue
			}
			if s := c.services[owner.Name]; s != nil && s.UID == owner.UID {
				continue
			}
			p.run.notef("garbage collector: %s %s", kind, child.GetName())
			return true, client.IgnoreNotFound(api.Delete(ctx, child, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		}
	}
	return false, nil
}

// deploy plays the Deployment controller and the kubelets: first pods of the latest template, then their readiness, then
// the end of the others.
func (p *player) deploy(ctx context.Context, c *cluster) (bool, error) {
	owners := map[string]bool{}
	for i := range c.deployments {
		deployment := &c.deployments[i]
		if deployment.DeletionTimestamp != nil {
			continue
		}
		owners[string(deployment.UID)] = true
		changed, err := p.roll(ctx, c, deployment)
		if changed || err != nil {
			return true, err
		}
	}
	for i := range c.pods {
		pod := &c.pods[i]
		if owner := metav1.GetControllerOf(pod); owner != nil && !owners[string(owner.UID)] {
			return true, p.end(ctx, pod)
		}
	}
	return false, nil
}

func (p *player) roll(ctx context.Context, c *cluster, deployment *appsv1.Deployment) (bool, error) {
	template := templateOf(deployment)
	var current, older, unready []*corev1.Pod
	for i := range c.pods {
		pod := &c.pods[i]
		if !metav1.IsControlledBy(pod, deployment) || pod.DeletionTimestamp != nil {
			continue
		}
		if pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == template {
			current = append(current, pod)
		} else {
			older = append(older, pod)
		}
		if pod.Status.Phase != corev1.PodRunning {
			unready = append(unready, pod)
		}
	}
	want := int(*deployment.Spec.Replicas)
	if deployment.Status.ObservedGeneration < deployment.Generation {
		return true, p.report(ctx, deployment, len(current), len(older), len(unready))
	}
	switch {
	case deployment.Spec.Paused:
		return false, nil
	case len(current) < want:
		for n := len(current); n < want; n++ {
			if err := p.create(ctx, deployment, template); err != nil {
				return true, err
			}
		}
	case len(unready) > 0:
		revision := c.revision(deployment.Name)
		if revision == "" {
			return false, nil // a pod cannot become ready without a config
		}
		for _, pod := range unready {
			if err := p.begin(ctx, deployment.Name, pod, revision); err != nil {
				return true, err
			}
		}
	case len(older) > 0 || len(current) > want:
		for _, pod := range slices.Concat(older, cheapest(current, len(current)-want)) {
			if err := p.end(ctx, pod); err != nil {
				return true, err
			}
		}
	default:
		return p.reportChanged(ctx, deployment, len(current))
	}
	return true, nil
}

func cheapest(pods []*corev1.Pod, n int) []*corev1.Pod {
	cost := func(pod *corev1.Pod) int {
		price, _ := strconv.Atoi(pod.Annotations[corev1.PodDeletionCost])
		return price
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		if c := cost(a) - cost(b); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return pods[:max(n, 0)]
}

func templateOf(deployment *appsv1.Deployment) string {
	encoded, _ := json.Marshal(deployment.Spec.Template)
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:5])
}

func (p *player) reportChanged(ctx context.Context, deployment *appsv1.Deployment, n int) (bool, error) {
	status, replicas := deployment.Status, int32(n)
	if status.Replicas == replicas && status.UpdatedReplicas == replicas && status.AvailableReplicas == replicas {
		return false, nil
	}
	return true, p.report(ctx, deployment, n, 0, 0)
}

func (p *player) report(ctx context.Context, deployment *appsv1.Deployment, current, older, unready int) error {
	ready := int32(current + older - unready)
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: int32(current + older), UpdatedReplicas: int32(current),
		ReadyReplicas: ready, AvailableReplicas: ready,
	}
	return api.Status().Update(ctx, deployment)
}

func (p *player) create(ctx context.Context, deployment *appsv1.Deployment, template string) error {
	labels := map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: template}
	maps.Copy(labels, deployment.Spec.Template.Labels)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: deployment.Namespace, GenerateName: deployment.Name + "-", Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(deployment, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: *deployment.Spec.Template.Spec.DeepCopy(),
	}
	if err := api.Create(ctx, pod); err != nil {
		return err
	}
	if service := metav1.GetControllerOf(deployment); service != nil {
		p.run.rules.pods[pod.Name] = service.UID
	}
	return nil
}

// begin makes a pod ready, with a gateway that serves the revision.
func (p *player) begin(ctx context.Context, service string, pod *corev1.Pod, revision string) error {
	p.mu.Lock()
	if p.gateways[pod.Name] == nil {
		p.gateways[pod.Name] = newGateway(revision)
	}
	p.mu.Unlock()
	p.run.rules.served(service, revision)
	now := metav1.Now()
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}}, StartTime: &now,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: render.ContainerName, ContainerID: "test://" + pod.Name, Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}
	return api.Status().Update(ctx, pod)
}

// end takes a pod away at once.
func (p *player) end(ctx context.Context, pod *corev1.Pod) error {
	err := client.IgnoreNotFound(api.Delete(ctx, pod, client.GracePeriodSeconds(0)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.gateways[pod.Name]; g != nil && err == nil {
		g.server.Close()
		delete(p.gateways, pod.Name)
	}
	return err
}

func (p *player) gateway(pod string) *gateway {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gateways[pod]
}

// address tells the operator where a pod's admin listener is.
func (p *player) address(pod *corev1.Pod) string {
	if g := p.gateway(pod.Name); g != nil {
		return g.server.Listener.Addr().String()
	}
	return "127.0.0.1:1"
}

func (p *player) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.gateways {
		g.server.Close()
	}
}

func (r *run) list(ctx context.Context, kind string) ([]client.Object, error) {
	list := lists[kind]()
	if err := api.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
		return nil, fmt.Errorf("list %s: %w", kind, err)
	}
	return itemsOf(list)
}
