package claim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// cluster is an API server that counts writes and may be away.
type cluster struct {
	client.Client

	writes int
	down   bool
	// beforeWrite is called before a write; nil for nothing.
	beforeWrite func()
	// told is which installation was told of which other.
	told []string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := coordinationv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := &cluster{}
	c.Client = fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, next client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if c.down {
				return errors.New("connection refused")
			}
			return next.Get(ctx, key, object, options...)
		},
		Create: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.CreateOption) error {
			c.write()
			return next.Create(ctx, object, options...)
		},
		Update: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			c.write()
			return next.Update(ctx, object, options...)
		},
	}).Build()
	return c
}

func (c *cluster) write() {
	c.writes++
	if c.beforeWrite != nil {
		c.beforeWrite()
	}
}

func (c *cluster) claimOf(installation string, namespaces ...string) *Claim {
	return New(c, Scope{Leases: "kube-system", Namespaces: namespaces}, Competitor{
		Installation: installation, Expiry: Expiry, Log: logr.Discard(),
		StaysOut: func(_ context.Context, held *HeldError) { c.told = append(c.told, installation+" of "+held.Holder) },
	})
}

// held says whose the claim is by the error of another; empty for nobody else's.
func held(err error) string {
	if other, ok := errors.AsType[*HeldError](err); ok {
		return other.Holder
	}
	return ""
}

// Whichever installation was first reconciles, for as long as it is there.
func TestTheSecondInstallationStaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		first, second := c.claimOf("a/manager"), c.claimOf("b/manager")
		for range 100 {
			if err := first.Hold(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := second.Hold(t.Context()); held(err) != "a/manager" {
				t.Fatalf("the second was told %v", err)
			}
			if got := testutil.ToFloat64(standby); got != 1 {
				t.Fatalf("llmservice_operator_standby is %v while it stays out", got)
			}
			if first.Ready(nil) != nil || held(second.Ready(nil)) != "a/manager" {
				t.Fatalf("ready: %v and %v", first.Ready(nil), second.Ready(nil))
			}
			time.Sleep(2 * time.Second)
		}
		if most := int(200*time.Second*renewals/Expiry) + 1; c.writes > most {
			t.Errorf("%d writes in 200 s, want at most %d", c.writes, most)
		}
		if diff := cmp.Diff([]string{"b/manager of a/manager"}, c.told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// Replicas of one installation follow each other at once, also in the middle of the other's wait.
func TestReplicasShareTheClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		other := c.claimOf("b/manager")
		for range 10 {
			replica := c.claimOf("a/manager")
			if err := replica.Hold(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := other.Hold(t.Context()); held(err) != "a/manager" {
				t.Fatalf("the other was told %v", err)
			}
			time.Sleep(Expiry - time.Second)
		}
	})
}

func TestTakesOverFromWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		first, second, third := c.claimOf("a/manager"), c.claimOf("b/manager"), c.claimOf("c/manager")
		if err := first.Hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range int(Expiry / time.Second) {
			if held(second.Hold(t.Context())) == "" || held(third.Hold(t.Context())) == "" {
				t.Fatal("taken over too soon")
			}
			time.Sleep(time.Second)
		}
		if err := second.Hold(t.Context()); err != nil || testutil.ToFloat64(standby) != 0 {
			t.Fatalf("not taken over: %v", err)
		}
		if err := third.Hold(t.Context()); held(err) != "b/manager" {
			t.Errorf("the third was told %v", err)
		}
		if err := first.Hold(t.Context()); held(err) != "b/manager" {
			t.Errorf("the first, back again, was told %v", err)
		}
		want := []string{"b/manager of a/manager", "c/manager of a/manager", "c/manager of b/manager", "a/manager of b/manager"}
		if diff := cmp.Diff(want, c.told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// Installations that watch other namespaces know nothing of each other. Of those that watch the same one, and of one that watches all,
// the first reconciles, and any other says which namespace it is about.
func TestInstallationsShareAClusterByNamespaces(t *testing.T) {
	cluster := []string(nil)
	for name, tt := range map[string]struct {
		first, second []string
		wantErr       string
	}{
		"none in common":          {[]string{"a", "b"}, []string{"c"}, ""},
		"one in common":           {[]string{"a", "b"}, []string{"b", "c"}, "reconciles namespace b"},
		"the whole cluster first": {cluster, []string{"a"}, "reconciles this cluster"},
		"the whole cluster later": {[]string{"a", "b"}, cluster, "reconciles namespace a"},
		"the Lease's namespace":   {[]string{"kube-system"}, []string{"a"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				first, second := c.claimOf("x/manager", tt.first...), c.claimOf("y/manager", tt.second...)
				for range 100 {
					if err := first.Hold(t.Context()); err != nil {
						t.Fatal(err)
					}
					err := second.Hold(t.Context())
					if tt.wantErr == "" && err != nil || tt.wantErr != "" && (held(err) != "x/manager" || !strings.Contains(err.Error(), tt.wantErr)) {
						t.Fatalf("the second was told %v", err)
					}
					time.Sleep(2 * time.Second)
				}
				if tt.wantErr == "" {
					return
				}
				if third := c.claimOf("z/manager", "c"); len(tt.first) > 0 && third.Hold(t.Context()) != nil {
					t.Error("one that stands by keeps a namespace from others")
				}
				if len(c.told) != 1 {
					t.Errorf("told %q, want one", c.told)
				}
				time.Sleep(Expiry)
				_ = second.Hold(t.Context()) // the third is there since the second has looked last
				time.Sleep(Expiry)
				if err := second.Hold(t.Context()); err != nil {
					t.Errorf("after the first has gone: %v", err)
				}
			})
		})
	}
}

// Two that overlap have different Leases, and may both have looked before either wrote. Then neither reconciles until one has gone on.
func TestTwoThatBeginAtOnceFindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		whole, part := c.claimOf("x/manager"), c.claimOf("y/manager", "a")
		c.beforeWrite = func() {
			c.beforeWrite = nil
			if err := whole.Hold(t.Context()); err != nil {
				t.Errorf("the one that finished first: %v", err)
			}
		}
		if err := part.Hold(t.Context()); held(err) != "x/manager" {
			t.Errorf("the one that wrote last was told %v", err)
		}
		if err := whole.Hold(t.Context()); err != nil {
			t.Errorf("the first gave up: %v", err)
		}
		time.Sleep(Expiry / renewals)
		if err := whole.Hold(t.Context()); err != nil {
			t.Errorf("the other's name is still on its Lease: %v", err)
		}
	})
}

// One that was silent for so long that another has begun, of another scope, does not go on as if nothing had been.
func TestOneThatComesBackLooksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		part, whole := c.claimOf("y/manager", "a"), c.claimOf("x/manager")
		if err := part.Hold(t.Context()); err != nil || held(whole.Hold(t.Context())) != "y/manager" {
			t.Fatalf("the first does not reconcile: %v", err)
		}
		time.Sleep(Expiry)
		c.beforeWrite = func() {
			c.beforeWrite = nil
			if err := whole.Hold(t.Context()); err != nil {
				t.Errorf("not taken over: %v", err)
			}
		}
		if err := part.Hold(t.Context()); held(err) != "x/manager" {
			t.Errorf("the one that came back was told %v", err)
		}
	})
}

// Somebody who deletes the Lease hands over at once.
func TestALeaseThatIsDeletedIsFree(t *testing.T) {
	c := newCluster(t)
	if err := c.claimOf("a/manager").Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := c.claimOf("b/manager")
	if held(second.Hold(t.Context())) != "a/manager" {
		t.Error("taken over too soon")
	}
	if err := c.DeleteAllOf(t.Context(), &coordinationv1.Lease{}, client.InNamespace("kube-system")); err != nil {
		t.Fatal(err)
	}
	if err := second.Hold(t.Context()); err != nil {
		t.Errorf("not taken over: %v", err)
	}
}

// An API server that is away for a moment takes the claim from nobody.
func TestKeepsTheClaimWhileTheAPIServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		first := c.claimOf("a/manager")
		if err := first.Hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.down = true
		time.Sleep(Expiry/tolerance - time.Second)
		if err := first.Hold(t.Context()); err != nil {
			t.Errorf("lost at once: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := first.Hold(t.Context()); err == nil {
			t.Error("still held when another installation may take over soon")
		}
	})
}

// lock is the one among managers of one installation.
type lock struct {
	resourcelock.Interface

	written []string
}

func (l *lock) Identity() string { return "me" }

func (l *lock) Create(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	l.written = append(l.written, record.HolderIdentity)
	return nil
}

func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.Create(ctx, record)
}

func TestNobodyLeadsWithoutTheClaim(t *testing.T) {
	c := newCluster(t)
	if err := c.claimOf("a/manager").Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	inner := &lock{}
	second := Lock{Interface: inner, Claim: c.claimOf("b/manager")}
	mine := resourcelock.LeaderElectionRecord{HolderIdentity: "me"}
	if held(second.Create(t.Context(), mine)) == "" || held(second.Update(t.Context(), mine)) == "" || len(inner.written) > 0 {
		t.Errorf("leads without the claim: %q", inner.written)
	}
	if err := second.Update(t.Context(), resourcelock.LeaderElectionRecord{}); err != nil || len(inner.written) != 1 {
		t.Errorf("cannot give up the lock: %v", err)
	}
	first := Lock{Interface: inner, Claim: c.claimOf("a/manager")}
	if err := errors.Join(first.Create(t.Context(), mine), first.Update(t.Context(), mine)); err != nil || len(inner.written) != 3 {
		t.Errorf("does not lead with the claim: %v", err)
	}
}
