package controllers

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers/claim"
)

// lockTimeout bounds one request about a Lease; a leader has twice as long to renew it.
const lockTimeout = 5 * time.Second

// election is how one of several managers comes to reconcile. Its zero value is for a manager that is alone.
type election struct {
	lock   resourcelock.Interface
	claim  *claim.Claim
	events *lateRecorder
}

func newElection(config *rest.Config, scheme *runtime.Scheme, options Options) (election, error) {
	result := election{events: &lateRecorder{}}
	if !options.LeaderElection {
		return result, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return result, fmt.Errorf("name this manager: %w", err)
	}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, options.Namespace, leaseName,
		resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID()), EventRecorder: result.events},
		config, 2*lockTimeout)
	if err != nil {
		return result, fmt.Errorf("set up the leader's election: %w", err)
	}
	result.lock = lock
	if options.Installation == "" {
		return result, nil
	}
	limited := rest.CopyConfig(config)
	limited.Timeout = lockTimeout
	direct, err := client.New(limited, client.Options{Scheme: scheme})
	if err != nil {
		return result, fmt.Errorf("set up the installation's claim: %w", err)
	}
	scope := claim.Scope{Leases: options.ClaimNamespace, Namespaces: options.Namespaces}
	result.claim = claim.New(direct, scope, claim.Competitor{
		Installation: options.Installation, Expiry: cmp.Or(options.ClaimExpiry, claim.Expiry), Log: options.Logger,
		StaysOut: func(ctx context.Context, held *claim.HeldError) {
			manager := deploymentOf(ctx, direct, options.Installation)
			result.events.Eventf(manager, corev1.EventTypeWarning, EventStaysOut, "%s", held.Error())
		},
	})
	result.lock = claim.Lock{Interface: lock, Claim: result.claim}
	return result, nil
}

// addTo has the manager say that it is not ready while another installation reconciles.
func (e election) addTo(manager ctrl.Manager) error {
	if e.claim == nil {
		return nil
	}
	return manager.AddReadyzCheck("installation", e.claim.Ready) //nolint:wrapcheck // the caller says what it is about
}

// deploymentOf refers to the Deployment of an installation, NAMESPACE/NAME: with its UID if it can be read, for that is what
// kubectl describe finds events by.
func deploymentOf(ctx context.Context, reader client.Reader, installation string) *corev1.ObjectReference {
	namespace, name, _ := strings.Cut(installation, "/")
	kind := appsv1.SchemeGroupVersion.WithKind("Deployment")
	var deployment metav1.PartialObjectMetadata
	deployment.SetGroupVersionKind(kind)
	_ = reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &deployment)
	return &corev1.ObjectReference{
		APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Namespace: namespace, Name: name, UID: deployment.UID,
	}
}

// lateRecorder emits events once there is a manager to emit them.
type lateRecorder struct {
	recorder atomic.Pointer[record.EventRecorder]
}

func (l *lateRecorder) from(manager ctrl.Manager) {
	recorder := manager.GetEventRecorderFor(FieldOwner) //nolint:staticcheck // the elector wants one of this API
	l.recorder.Store(&recorder)
}

// Eventf implements resourcelock.EventRecorder.
func (l *lateRecorder) Eventf(object runtime.Object, kind, reason, message string, args ...any) {
	if recorder := l.recorder.Load(); recorder != nil {
		(*recorder).Eventf(object, kind, reason, message, args...)
	}
}
