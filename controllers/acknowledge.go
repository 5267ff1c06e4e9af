package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/cached"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// NudgeAnnotation of a pod is how often its kubelet was reminded of a revision, or of a secret.
const NudgeAnnotation = cached.NudgeAnnotation

const (
	// The nudge may overtake the kubelet's own watch of the ConfigMap and find the old one: it is repeated.
	firstNudgePause = time.Second
	maxNudgePause   = 30 * time.Second
	// By then the kubelet has synced of itself many times over: it is not the kubelet that is in the way.
	maxNudges = 20
	// nudgesAtOnce bounds what one reconcile sends: the status is not to wait for a thousand pods.
	nudgesAtOnce = 64
	// A pod that just became ready is read within this time.
	readGrace = 5 * time.Second
)

// acknowledgement is how far a revision has come.
type acknowledgement struct {
	revision string
	// replicas counts the live pods that have, or should have, a config, seen or not; acknowledged those that serve the revision.
	replicas, acknowledged int32
	// behind are the pods that serve another revision and have not said why.
	behind []*corev1.Pod
	// rejected and missing say, pod by pod, why a gateway does not serve the revision, and which secrets it lacks.
	rejected, missing []string
	// refused lists the upstreams that refuse their key, each once.
	refused []string
	// keyless are the pods that serve the revision and lack a secret, or have one that is refused: their kubelet may not
	// have seen the latest.
	keyless []reminder
	// unreminded is the reason why pods that are behind could not be reminded of the revision.
	unreminded error
	// again is when a pod that is not read yet will count, or one that was seen will not; zero if there is none.
	again time.Duration
}

// reminder is what a pod is reminded of: a revision, or what ails its secrets.
type reminder struct {
	pod *corev1.Pod
	of  string
}

// acknowledge compares what the gateways serve with the current config. A pod that starts does not count before it
// says something: it cannot become ready without a config.
func acknowledge(seen *view, current render.Document) acknowledgement {
	result := acknowledgement{revision: current.Revision()}
	if result.revision == "" {
		return result
	}
	result.replicas, result.again = seen.unseenPods()
	named := names{document: current}
	for _, pod := range seen.livePods() {
		known, ok := seen.load.OfPod(pod.UID)
		switch {
		case !ok || known.Seen.IsZero():
			result.countUnread(known, seen)
		case known.Status.Revision == result.revision:
			result.replicas++
			result.acknowledged++
			result.countSecrets(pod, known, &named)
		default:
			result.replicas++
			result.countBehind(pod, known)
		}
	}
	return result
}

// countUnread spares a service that serves its revision a moment of Pending for each replica that is added. Before every
// replica was seen to serve it, a pod that has not been read counts as one that may not.
func (a *acknowledgement) countUnread(pod load.PodLoad, seen *view) {
	if pod.ReadySince.IsZero() {
		return
	}
	if wait := readGrace - seen.now.Sub(pod.ReadySince); wait > 0 && seen.wasAcknowledged(a.revision) {
		a.again = soonest(a.again, wait)
		return
	}
	a.replicas++
}

// wasAcknowledged says that the status already says that every replica serves the revision.
func (v *view) wasAcknowledged(revision string) bool {
	return reportedRevision(v.service) == revision &&
		meta.IsStatusConditionTrue(v.service.Status.Conditions, v1alpha1.ConditionConfigApplied)
}

func (a *acknowledgement) countBehind(pod *corev1.Pod, known load.PodLoad) {
	rejection := known.Status.Rejected
	if rejection != nil && rejection.Revision == a.revision {
		a.rejected = append(a.rejected, fmt.Sprintf("pod %s: %s", known.Name, rejection.Message))
		return
	}
	a.behind = append(a.behind, pod)
}

func (a *acknowledgement) countSecrets(pod *corev1.Pod, known load.PodLoad, named *names) {
	of := ""
	for _, secret := range known.Status.Secrets {
		if !secret.Loaded {
			words := named.secret(secret.SecretFile, secret.Index) + inParentheses(secret.Problem)
			a.missing = append(a.missing, fmt.Sprintf("pod %s: %s", known.Name, words))
			of = "missing"
		}
	}
	for _, key := range known.Status.RefusedKeys {
		refused := named.refusal(key)
		if at, told := slices.BinarySearch(a.refused, refused); !told {
			a.refused = slices.Insert(a.refused, at, refused)
		}
		of = "refused-" + strconv.FormatInt(key.Since.Unix(), 36) // each is a reason of its own to look again
	}
	if of != "" {
		a.keyless = append(a.keyless, reminder{pod, of})
	}
}

// inParentheses is what a gateway says in addition.
func inParentheses(problem string) string {
	if problem == "" {
		return ""
	}
	return " (" + problem + ")"
}

// nudge reminds the pods that are behind, and those whose secrets may be, each in its own rhythm, and returns when the next
// one is due. For a revision it waits until the ConfigMap was seen to hold it: before that there is nothing to find. A pod
// that cannot be reminded is reported and tried again in the same rhythm: the kubelet will look by itself, as it does where the
// service is paused.
func (r *Reconciler) nudge(ctx context.Context, seen *view, a *acknowledgement) time.Duration {
	if seen.paused() {
		return 0
	}
	memory := r.memories.of(seen)
	due := map[types.UID]nudgeRecord{}
	var wait time.Duration
	var errs []error
	sent := 0
	for _, reminder := range a.reminders(seen) {
		uid := reminder.pod.UID
		known := memory.nudges[uid]
		if sent == nudgesAtOnce {
			due[uid], wait = known, soonest(wait, time.Millisecond)
			continue
		}
		next := r.nudgePod(ctx, seen, reminder.pod, known, reminder.of)
		if next.count != known.count || next.revision != known.revision {
			sent++
		}
		due[uid] = next
		errs = append(errs, next.failed)
		if next.count < maxNudges {
			wait = soonest(wait, max(next.next.Sub(seen.now), time.Millisecond))
		}
	}
	memory.nudges = due
	a.unreminded = errors.Join(errs...)
	return wait
}

func (a *acknowledgement) reminders(seen *view) []reminder {
	all := slices.Clone(a.keyless)
	if delivered(seen, a.revision) {
		for _, pod := range a.behind {
			all = append(all, reminder{pod, a.revision})
		}
	}
	return all
}

func delivered(seen *view, revision string) bool {
	return seen.ownsChild(render.DocumentsKey(seen.service.Name)) &&
		delivery.Revision([]byte(seen.configMap().Data[delivery.CurrentKey])) == revision
}

// nudgePod nudges if that is due, and returns the pod's state after it.
func (r *Reconciler) nudgePod(ctx context.Context, seen *view, pod *corev1.Pod, state nudgeRecord, revision string) nudgeRecord {
	if state.revision != revision {
		state = nudgeRecord{revision: revision, count: nudgesSoFar(pod, revision), next: seen.now}
	}
	if seen.now.Before(state.next) || state.count >= maxNudges {
		return state
	}
	state.failed = nil
	if err := r.annotate(ctx, pod, NudgeAnnotation, fmt.Sprintf("%s.%d", revision, state.count)); err != nil {
		state.failed = fmt.Errorf("nudge pod %s: %w", pod.Name, err)
		log.FromContext(ctx).Error(err, "Cannot make a kubelet look at the config at once", "pod", pod.Name)
	}
	state.next = seen.now.Add(min(firstNudgePause<<state.count, maxNudgePause))
	state.count++
	return state
}

// nudgesSoFar reads from the pod what an operator before this one did.
func nudgesSoFar(pod *corev1.Pod, revision string) int {
	count, ok := strings.CutPrefix(pod.Annotations[NudgeAnnotation], revision+".")
	if !ok {
		return 0
	}
	last, err := strconv.Atoi(count)
	if err != nil || last < 0 || last > maxNudges {
		return 0
	}
	return last + 1
}

// annotate sets one annotation of this very pod; a pod that is gone needs none.
func (r *Reconciler) annotate(ctx context.Context, pod *corev1.Pod, key, value string) error {
	if pod.Annotations[key] == value {
		return nil
	}
	// The UID is a precondition: the API server refuses to change one.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": pod.UID, "annotations": map[string]string{key: value},
	}})
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	target := &corev1.Pod{}
	target.Namespace, target.Name = pod.Namespace, pod.Name
	err = r.Client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldOwner))
	return client.IgnoreNotFound(err)
}

// parallelWrites bounds how many pods are written to at once.
const parallelWrites = 16

// annotateAll sets an annotation of several pods. It tries every pod, and returns the errors of all.
func (r *Reconciler) annotateAll(ctx context.Context, key string, values map[*corev1.Pod]string) error {
	var (
		group errgroup.Group
		mu    sync.Mutex
		errs  []error
	)
	group.SetLimit(parallelWrites)
	for pod, value := range values {
		group.Go(func() error {
			if err := r.annotate(ctx, pod, key, value); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("annotate pod %s: %w", pod.Name, err))
			}
			return nil
		})
	}
	_ = group.Wait() // it has no errors of its own
	return errors.Join(errs...)
}
