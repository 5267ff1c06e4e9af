package load

import (
	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
)

var _ toolscache.ResourceEventHandler = (*Tracker)(nil)

// OnAdd implements the informer's handler.
func (t *Tracker) OnAdd(obj any, listed bool) {
	if pod, ok := obj.(*corev1.Pod); ok {
		t.observe(pod, listed)
	}
}

// OnUpdate implements the informer's handler. A new pod of an old name has another UID and is another pod.
func (t *Tracker) OnUpdate(old, updated any) {
	before, okBefore := old.(*corev1.Pod)
	pod, ok := updated.(*corev1.Pod)
	if !ok {
		return
	}
	if okBefore && before.UID != pod.UID {
		t.forget(before)
	}
	t.observe(pod, false)
}

// OnDelete implements the informer's handler. Where the watch missed the deletion, the last known state must do.
func (t *Tracker) OnDelete(obj any) {
	if unknown, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = unknown.Obj
	}
	if pod, ok := obj.(*corev1.Pod); ok {
		t.forget(pod)
	}
}
