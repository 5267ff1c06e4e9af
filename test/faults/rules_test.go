package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// rules are what must hold at every write, whatever goes wrong. They are used with the run's mu held.
type rules struct {
	run *run
	// specs are all that there were of a service, by generation.
	specs map[types.UID]map[int64]spec
	// floors are the oldest generations that what was last written of a kind can be of.
	floors map[types.UID]map[string]int64
	// proved are the generations of which all that Ready asserts has been seen to hold.
	proved map[types.UID]map[int64]bool
	// loaded are the revisions that a gateway of a service has served, pods the services that pods belong to.
	loaded map[string]map[string]bool
	pods   map[string]types.UID
	// edited are objects that somebody changed by hand since the operator wrote them last.
	edited map[types.UID]bool
	// byHand are the same, and what somebody removed, by kind and name. It counts once an operator can have seen it.
	byHand map[string]bool
	// changes counts by kind the writes that changed something.
	changes map[string]int
	total   int
}

func newRules(r *run) *rules {
	return &rules{
		run: r, specs: map[types.UID]map[int64]spec{}, floors: map[types.UID]map[string]int64{}, proved: map[types.UID]map[int64]bool{},
		loaded: map[string]map[string]bool{}, pods: map[string]types.UID{}, edited: map[types.UID]bool{}, byHand: map[string]bool{}, changes: map[string]int{},
	}
}

// spec is what can be recognised of a spec in its children.
type spec struct {
	// accepted says that the spec can be served.
	accepted bool
	// parts are by the kind of the child that they show in.
	parts map[string]string
	least int32
}

// asked takes in a spec that somebody wrote.
func (u *rules) asked(s *v1alpha1.LLMService) {
	if u.specs[s.UID] == nil {
		u.specs[s.UID], u.floors[s.UID], u.proved[s.UID] = map[int64]spec{}, map[string]int64{}, map[int64]bool{}
	}
	u.specs[s.UID][s.Generation] = u.specOf(s)
}

func (u *rules) specOf(s *v1alpha1.LLMService) spec {
	image, grace, port := u.run.gateway.Image, int64(0), int32(80)
	if s.Spec.Runtime != nil {
		if s.Spec.Runtime.Image != "" {
			image = s.Spec.Runtime.Image
		}
		longest, _ := s.Spec.Runtime.MaxStreamDuration.Parse()
		grace = int64(delivery.GracePeriod(longest).Seconds())
	}
	if s.Spec.Exposure != nil && s.Spec.Exposure.Service != nil {
		port = s.Spec.Exposure.Service.Port
	}
	secret, autoscaler, least := "", "", int32(1)
	if auth := s.Spec.Upstreams[0].Auth; auth != nil {
		secret = auth.Bearer.SecretKeyRef.Name
	}
	if scaling := s.Spec.Scaling; scaling != nil {
		autoscaler, least = fmt.Sprintf("%d to %d", scaling.MinReplicas, scaling.MaxReplicas), scaling.MinReplicas
	}
	repository, _, _ := strings.Cut(image, ":")
	own, _, _ := strings.Cut(u.run.gateway.Image, ":")
	allowed := repository == own || slices.Contains(u.run.gateway.AllowedImages, repository)
	return spec{
		accepted: allowed && s.Spec.Models[0].Upstreams[0] == s.Spec.Upstreams[0].Name,
		least:    least,
		parts: map[string]string{
			"ConfigMap":               s.Spec.Upstreams[0].OpenAI.Model,
			"Service":                 fmt.Sprint(port),
			"Deployment":              fmt.Sprintf("image %s, grace %d, secret %s", image, grace, secret),
			"HorizontalPodAutoscaler": autoscaler,
		},
	}
}

var modelName = regexp.MustCompile(`"model":"(m\d+)"`)

// partOf is what a child shows of its spec; false for kinds that show nothing.
func partOf(object client.Object) (string, bool) {
	switch o := object.(type) {
	case *corev1.ConfigMap:
		if m := modelName.FindStringSubmatch(o.Data[delivery.CurrentKey]); m != nil {
			return m[1], true
		}
		return "", true
	case *corev1.Service:
		return fmt.Sprint(o.Spec.Ports[0].Port), true
	case *appsv1.Deployment:
		pod := o.Spec.Template.Spec
		secret := ""
		for _, volume := range pod.Volumes {
			if volume.Secret != nil {
				secret += volume.Secret.SecretName
			}
		}
		return fmt.Sprintf("image %s, grace %d, secret %s", pod.Containers[0].Image, *pod.TerminationGracePeriodSeconds, secret), true
	case *autoscalingv2.HorizontalPodAutoscaler:
		return fmt.Sprintf("%d to %d", *o.Spec.MinReplicas, o.Spec.MaxReplicas), true
	default:
		return "", false
	}
}

// of lists the accepted generations that a child can be of, none older than what was written of the kind before.
func (u *rules) of(owner types.UID, kind, part string) []int64 {
	var generations []int64
	for generation, spec := range u.specs[owner] {
		if spec.accepted && spec.parts[kind] == part && generation >= u.floors[owner][kind] {
			generations = append(generations, generation)
		}
	}
	slices.Sort(generations)
	return generations
}

// served takes in that a gateway serves a revision.
func (u *rules) served(service, revision string) {
	if u.loaded[service] == nil {
		u.loaded[service] = map[string]bool{}
	}
	u.loaded[service][revision] = true
}

func (u *rules) touched(kind string, object client.Object) {
	u.edited[object.GetUID()] = true
	u.removed(kind, object.GetName())
}

func (u *rules) removed(kind, name string) { u.byHand[kind+" "+name] = true }

// before is what there was when a write was sent.
type before struct {
	object client.Object
	// asked is how many replicas the service shall have.
	asked int32
}

// look reads what a write is about.
func (r *run) look(w *write) before {
	if !w.child() || w.name == "" {
		return before{}
	}
	var b before
	b.object = r.get(w.kind, w.name)
	if service, ok := r.get("LLMService", w.name).(*v1alpha1.LLMService); ok && service.Spec.Replicas != nil {
		b.asked = *service.Spec.Replicas
	}
	return b
}

// written holds the rules up to a write that the API server has answered.
func (r *run) written(w *write, b before) {
	u := r.rules
	u.preconditions(w)
	if !w.ok() {
		r.notef("%s: %d %s", w, w.status, w.answer[:min(len(w.answer), 400)])
		return
	}
	r.player.stir()
	u.total++
	switch {
	case w.kind == "LLMService":
		u.changes["status"]++
		u.checkStatus(w)
	case w.child() && w.method == "DELETE":
		u.changes[w.kind]++
		u.checkOwner(w, b.object, nil)
	case w.child():
		u.checkChild(w, b)
	}
}

// preconditions: what was decided from an object is written to that very object.
func (u *rules) preconditions(w *write) {
	var body struct {
		Metadata      metav1.ObjectMeta     `json:"metadata"`
		Preconditions *metav1.Preconditions `json:"preconditions"`
	}
	if strings.HasPrefix(string(w.body), "[") || json.Unmarshal(w.body, &body) != nil {
		return
	}
	switch {
	case w.kind == "Pod" && body.Metadata.UID == "":
		u.run.brokef("%s: without the UID of the pod that it is about", w)
	case w.kind == "LLMService" && (body.Metadata.ResourceVersion == "" || w.subresource != "status"):
		u.run.brokef("%s: not to the status, or without the version that it was decided from", w)
	case w.method == "DELETE" && (body.Preconditions == nil || body.Preconditions.UID == nil || body.Preconditions.ResourceVersion == nil):
		u.run.brokef("%s: without the UID and the version of what is deleted", w)
	}
}

// checkOwner: what is somebody else's is not touched.
func (u *rules) checkOwner(w *write, was, is client.Object) {
	if was == nil {
		return
	}
	owner := metav1.GetControllerOf(was)
	if owner == nil || owner.Kind != v1alpha1.Kind {
		u.run.brokef("%s: it is not the operator's", w)
		return
	}
	if is != nil && is.GetUID() == was.GetUID() && metav1.GetControllerOf(is).UID != owner.UID {
		u.run.brokef("%s: it belonged to another service of the name", w)
	}
}

func (u *rules) checkChild(w *write, b before) {
	is := blank(w.kind, "", "")
	if err := json.Unmarshal(w.answer, is); err != nil {
		u.run.t.Errorf("%s: %v", w, err)
		return
	}
	if b.object == nil || b.object.GetResourceVersion() != is.GetResourceVersion() {
		u.changes[w.kind]++
		u.run.notef("%s: changed", w)
	}
	u.checkOwner(w, b.object, is)
	hand := u.edited[is.GetUID()]
	delete(u.edited, is.GetUID())
	delete(u.byHand, w.kind+" "+is.GetName())
	owner := metav1.GetControllerOf(is)
	if owner == nil {
		return
	}
	u.checkGeneration(w, is, owner.UID)
	switch now := is.(type) {
	case *appsv1.Deployment:
		if was, ok := b.object.(*appsv1.Deployment); ok {
			u.checkReplicas(w, was, now, b.asked)
			if !hand && was.UID == now.UID {
				u.checkTemplate(w, was, now)
			}
		}
	case *corev1.ConfigMap:
		was, _ := b.object.(*corev1.ConfigMap)
		u.checkLastGood(w, was, now, owner.Name, hand)
	}
}

// checkGeneration: all children come from one spec that was accepted, and never from an older one again.
func (u *rules) checkGeneration(w *write, is client.Object, owner types.UID) {
	part, ok := partOf(is)
	if !ok {
		return
	}
	candidates := u.of(owner, w.kind, part)
	if len(candidates) == 0 {
		u.run.brokef("%s: %q is of no spec that was accepted since the one of generation %d", w, part, u.floors[owner][w.kind])
		return
	}
	if w.kind != "ConfigMap" {
		// The documents come first: what follows belongs to the spec that they are of.
		if documents, ok := u.run.get("ConfigMap", delivery.ConfigMapName(w.name)).(*corev1.ConfigMap); ok && metav1.IsControlledBy(documents, ownerOf(is)) {
			delivered, _ := partOf(documents)
			both := slices.DeleteFunc(u.of(owner, "ConfigMap", delivered), func(g int64) bool { return !slices.Contains(candidates, g) })
			if len(both) == 0 && !u.edited[documents.UID] {
				u.run.brokef("%s: %q is not of the spec that is delivered, whose model is %s", w, part, delivered)
			}
		}
	}
	u.floors[owner][w.kind] = candidates[0]
}

// ownerOf is the owner of an object as far as references tell.
func ownerOf(object client.Object) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{UID: metav1.GetControllerOf(object).UID}
}

// checkReplicas: nobody who asked for replicas gets fewer.
func (u *rules) checkReplicas(w *write, was, is *appsv1.Deployment, asked int32) {
	if n := *is.Spec.Replicas; n < *was.Spec.Replicas && n < asked {
		u.run.brokef("%s: from %d to %d replicas, where %d are asked for", w, *was.Spec.Replicas, n, asked)
	}
}

// checkTemplate: pods are replaced for a change of what the documentation lists, and for nothing else.
func (u *rules) checkTemplate(w *write, was, is *appsv1.Deployment) {
	if equality.Semantic.DeepEqual(was.Spec.Template, is.Spec.Template) {
		return
	}
	old, _ := partOf(was)
	if now, _ := partOf(is); now == old {
		u.run.brokef("%s: all pods are replaced, and nothing that replaces pods has changed: %s", w, now)
	}
}

// checkLastGood: it is what a gateway has served, and it is not lost.
func (u *rules) checkLastGood(w *write, was, is *corev1.ConfigMap, service string, hand bool) {
	good := is.Data[delivery.LastGoodKey]
	switch {
	case good != "" && !u.loaded[service][delivery.Revision([]byte(good))]:
		u.run.brokef("%s: no gateway has served what is called the last good config", w)
	case good == "" && was != nil && was.UID == is.UID && was.Data[delivery.LastGoodKey] != "" && !hand:
		u.run.brokef("%s: the last good config is lost", w)
	}
}

// checkStatus: a status promises nothing that has not been there.
func (u *rules) checkStatus(w *write) {
	var service v1alpha1.LLMService
	if err := json.Unmarshal(w.answer, &service); err != nil {
		u.run.t.Errorf("%s: %v", w, err)
		return
	}
	if streams := service.Status.Streams; streams != nil && streams.LastCut != nil && u.pods[streams.LastCut.Pod] != service.UID {
		u.run.brokef("%s: streams of pod %s, which was never this service's, are called cut", w, streams.LastCut.Pod)
	}
	if service.Status.ObservedGeneration > service.Generation {
		u.run.brokef("%s: observes generation %d of %d", w, service.Status.ObservedGeneration, service.Generation)
	}
	ready := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionReady)
	u.run.notef("%s: ready %+v", w, ready)
	if ready == nil || ready.Status != metav1.ConditionTrue || u.proved[service.UID][ready.ObservedGeneration] {
		return
	}
	c, err := u.run.observe(context.Background())
	if err != nil {
		u.run.t.Error(err)
		return
	}
	if why := u.unproved(c, &service, ready.ObservedGeneration); why != "" {
		u.run.brokef("%s: Ready of generation %d, although %s", w, ready.ObservedGeneration, why)
	}
}

// prove remembers of which generations all holds that Ready asserts.
func (u *rules) prove(c *cluster) {
	for _, service := range c.services {
		if !u.proved[service.UID][service.Generation] && u.unproved(c, service, service.Generation) == "" {
			u.proved[service.UID][service.Generation] = true
		}
	}
}

// unproved says what keeps a generation from being served; empty if nothing does.
func (u *rules) unproved(c *cluster, service *v1alpha1.LLMService, generation int64) string {
	want, known := u.specs[service.UID][generation]
	if !known || !want.accepted {
		return "it was not accepted"
	}
	for _, kind := range []string{"ConfigMap", "Service", "Deployment", "HorizontalPodAutoscaler"} {
		name := service.Name
		if kind == "ConfigMap" {
			name = delivery.ConfigMapName(name)
		}
		if u.byHand[kind+" "+name] {
			continue
		}
		object, part := u.run.get(kind, name), ""
		if object != nil && metav1.IsControlledBy(object, service) {
			part, _ = partOf(object)
		}
		if part != want.parts[kind] {
			return fmt.Sprintf("the %s is %q and not %q", kind, part, want.parts[kind])
		}
	}
	if u.byHand["Deployment "+service.Name] {
		return ""
	}
	deployment := u.run.get("Deployment", service.Name).(*appsv1.Deployment)
	ready := int32(0)
	for i := range c.pods {
		pod := &c.pods[i]
		if !metav1.IsControlledBy(pod, deployment) || pod.DeletionTimestamp != nil {
			continue
		}
		if pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != templateOf(deployment) {
			return "pod " + pod.Name + " is of an older template"
		}
		g := u.run.player.gateway(pod.Name)
		if pod.Status.Phase != corev1.PodRunning || g == nil {
			continue
		}
		if got := g.revision(); got != c.revision(service.Name) {
			return fmt.Sprintf("pod %s serves revision %s and not %s", pod.Name, got, c.revision(service.Name))
		}
		ready++
	}
	if ready < want.least && *service.Spec.Replicas > 0 {
		return fmt.Sprintf("%d pods are ready, and at least %d should be", ready, want.least)
	}
	return ""
}
