package resolve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/test/nameserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pods = "vllm.models.example"

// followed resolves names at a server for as long as a test lasts; its time is the bubble's.
func followed(t *testing.T, o Options) *Names {
	t.Helper()
	names := NewNames(o)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { names.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return names
}

// first are the addresses of a name now, as text; those of the second family follow a bar.
func first(n *Name) string {
	var all []string
	for _, a := range n.Addresses().First {
		all = append(all, a.String())
	}
	for i, a := range n.Addresses().Others {
		if i == 0 {
			all = append(all, "|")
		}
		all = append(all, a.String())
	}
	return fmt.Sprint(all)
}

// after lets a time pass, and says what the addresses of a name are then.
func after(d time.Duration, n *Name) string {
	time.Sleep(d)
	synctest.Wait()
	return first(n)
}

// bubble runs a test in virtual time, next to a server in real time.
func bubble(t *testing.T, f func(in inside)) {
	t.Helper()
	s := nameserver.Start(t)
	synctest.Test(t, func(t *testing.T) { f(inside{t, s}) })
}

// inside is a test in a bubble, with a server outside of it.
type inside struct {
	*testing.T
	*nameserver.Server
}

// until waits for what network I/O leads to: virtual time stands still meanwhile.
func until(t *testing.T, n *Name, want string) {
	t.Helper()
	for range 1000 {
		if first(n) == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("addresses %s, want %s", first(n), want)
}

// A name is resolved again at its TTL, not sooner and not later, and at bounds where the TTL is none or endless.
func TestANameIsResolvedAgainAtItsTTL(t *testing.T) {
	for name, tt := range map[string]struct {
		answer nameserver.Answer
		ttl    time.Duration
	}{
		"a TTL":                 {nameserver.Answer{TTL: 5}, 5 * time.Second},
		"none":                  {nameserver.Answer{TTL: 0}, minTTL},
		"years":                 {nameserver.Answer{TTL: 1<<31 - 1}, maxTTL},
		"a negative one":        {nameserver.Answer{TTL: 1 << 31}, minTTL},
		"of a name's alias":     {nameserver.Answer{TTL: 60, Alias: "pods.example", AliasTTL: 7}, 7 * time.Second},
		"of what it stands for": {nameserver.Answer{TTL: 7, Alias: "pods.example", AliasTTL: 60}, 7 * time.Second},
		"over TCP":              {nameserver.Answer{TTL: 9, Truncated: true}, 9 * time.Second},
	} {
		bubble(t, func(in inside) {
			t, s := in.T, in.Server
			tt.answer.Addresses = []string{"10.0.0.1", "10.0.0.2"}
			s.Set(pods, tt.answer)
			n := followed(t, Options{Dial: s.Dial}).Name(pods)
			until(t, n, "[10.0.0.1 10.0.0.2]")
			tt.answer.Addresses = []string{"10.0.0.2", "10.0.0.3", "10.0.0.1"}
			s.Set(pods, tt.answer)
			if got := after(tt.ttl-20*time.Millisecond, n); got != "[10.0.0.1 10.0.0.2]" {
				t.Errorf("%s: %s before its end", name, got)
			}
			if got := after(40*time.Millisecond, n); got != "[10.0.0.1 10.0.0.2 10.0.0.3]" {
				t.Errorf("%s: %s after its end", name, got)
			}
		})
	}
}

// A resolution that fails keeps the last addresses, for as long as it fails; a name that has none for long enough gives them up.
func TestWhatFailsKeepsTheLastAddresses(t *testing.T) {
	there := nameserver.Answer{TTL: 5, Addresses: []string{"10.0.0.1", "10.0.0.2"}}
	for name, tt := range map[string]struct {
		answer nameserver.Answer
		wait   time.Duration
		want   string
	}{
		"the server fails":            {nameserver.Answer{Code: dnsmessage.RCodeServerFailure}, time.Hour, "[10.0.0.1 10.0.0.2]"},
		"the server refuses":          {nameserver.Answer{Code: dnsmessage.RCodeRefused}, time.Hour, "[10.0.0.1 10.0.0.2]"},
		"the name is unknown at once": {nameserver.Answer{Code: dnsmessage.RCodeNameError}, 20 * time.Second, "[10.0.0.1 10.0.0.2]"},
		"the name is unknown":         {nameserver.Answer{Code: dnsmessage.RCodeNameError}, time.Minute, "[]"},
		"no address at once":          {nameserver.Answer{}, 20 * time.Second, "[10.0.0.1 10.0.0.2]"},
		"no address":                  {nameserver.Answer{}, time.Minute, "[]"},
	} {
		bubble(t, func(in inside) {
			t, s := in.T, in.Server
			var told []string
			s.Set(pods, there)
			names := followed(t, Options{
				Dial:      s.Dial,
				Failed:    func(host, why string) { told = append(told, host+": "+why) },
				Recovered: func(host string) { told = append(told, host+" again") },
			})
			n := names.Name(pods)
			until(t, n, "[10.0.0.1 10.0.0.2]")
			s.Set(pods, tt.answer)
			if got := after(tt.wait, n); got != tt.want {
				t.Errorf("%s: %s after %s, want %s", name, got, tt.wait, tt.want)
			}
			s.Set(pods, nameserver.Answer{TTL: 5, Addresses: []string{"10.0.0.9"}})
			if got := after(maxRetry+time.Second, n); got != "[10.0.0.9]" {
				t.Errorf("%s: %s once it is well again", name, got)
			}
			if len(told) != 2 || told[1] != pods+" again" {
				t.Errorf("%s: told %q, want one failure and its end", name, told)
			}
		})
	}
}

// One family that fails is a failure of the whole, unless it always fails.
func TestHalfAnAnswer(t *testing.T) {
	bubble(t, func(in inside) {
		t, s := in.T, in.Server
		both := []string{"10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"}
		half := nameserver.Answer{TTL: 5, Addresses: both, Code: dnsmessage.RCodeServerFailure, FailedType: dnsmessage.TypeAAAA}
		s.Set(pods, nameserver.Answer{TTL: 5, Addresses: both})
		n := followed(t, Options{Dial: s.Dial}).Name(pods)
		time.Sleep(time.Second)
		whole := n.Addresses()
		if len(whole.First) != 2 || len(whole.Others) != 2 {
			t.Fatalf("%+v", whole)
		}
		s.Set(pods, half)
		if after(5*time.Second, n); n.Addresses() != whole {
			t.Errorf("%s after one failure", first(n))
		}
		if got := after(time.Minute, n); got != "[10.0.0.1 10.0.0.2]" {
			t.Errorf("%s once it always fails", got)
		}
	})
}

// Failed resolutions become less frequent, and those of an address in doubt are never more than one each second.
func TestResolutionsAreBounded(t *testing.T) {
	bubble(t, func(in inside) {
		t, s := in.T, in.Server
		names := followed(t, Options{Dial: s.Dial})
		names.Name("nowhere.example")
		time.Sleep(10 * time.Minute)
		if n := s.Asked("nowhere.example"); n < 55 || n > 75 {
			t.Errorf("a name that does not exist was looked up %d times in 10 minutes", n)
		}
		s.Set(pods, nameserver.Answer{TTL: 3600, Addresses: []string{"10.0.0.1"}})
		n := names.Name(pods)
		until(t, n, "[10.0.0.1]")
		s.Set(pods, nameserver.Answer{TTL: 3600, Addresses: []string{"10.0.0.2"}})
		n.Doubt()
		if got := after(minTTL+time.Millisecond, n); got != "[10.0.0.2]" {
			t.Errorf("%s after a doubt", got)
		}
		before := s.Asked(pods)
		for range 1000 {
			n.Doubt()
			time.Sleep(10 * time.Millisecond)
		}
		if asked := s.Asked(pods) - before; asked < 8 || asked > 11 {
			t.Errorf("%d resolutions in 10 seconds of doubt", asked)
		}
	})
}

// A huge answer leaves some addresses, the same ones whatever the order in which they come.
func TestAHugeAnswer(t *testing.T) {
	bubble(t, func(in inside) {
		t, s := in.T, in.Server
		var many []string
		for i := range 2000 {
			many = append(many, fmt.Sprintf("10.0.%d.%d", i/250, i%250))
		}
		s.Set(pods, nameserver.Answer{TTL: 5, Truncated: true, Addresses: many})
		n := followed(t, Options{Dial: s.Dial}).Name(pods)
		time.Sleep(time.Second)
		all := n.Addresses()
		if len(all.First) != MaxAddresses || len(all.Others) != 0 {
			t.Fatalf("%d addresses", len(all.First))
		}
		slices.Reverse(many)
		s.Set(pods, nameserver.Answer{TTL: 5, Truncated: true, Addresses: many})
		if after(6*time.Second, n); n.Addresses() != all {
			t.Error("another order gave other addresses")
		}
	})
}

// What may be connected to is kept: each address once, of one family or both, unless there is one of each.
func TestAddressesThatMayBeUsed(t *testing.T) {
	rules := addresses.Rules{Denied: addresses.List{netip.MustParsePrefix("10.9.0.0/16")}}
	for _, tt := range []struct{ all, first, others []string }{
		{nil, nil, nil},
		{[]string{"10.0.0.1"}, []string{"10.0.0.1"}, nil},
		{[]string{"10.0.0.2", "10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1"}, []string{"10.0.0.1", "10.0.0.2"}, nil},
		{[]string{"127.0.0.1", "::1"}, nil, nil},
		{[]string{"fd00::2", "fd00::1", "10.0.0.1"}, []string{"fd00::1", "fd00::2"}, []string{"10.0.0.1"}},
		{[]string{"10.0.0.1", "fd00::2", "fd00::1"}, []string{"10.0.0.1"}, []string{"fd00::1", "fd00::2"}},
		{[]string{"169.254.169.254", "10.9.1.1", "fd00:ec2::254", "fe80::1%eth0"}, nil, nil},
		{[]string{"169.254.169.254", "10.9.1.1", "10.0.0.1"}, []string{"10.0.0.1"}, nil},
	} {
		var all []netip.Addr
		for _, a := range tt.all {
			all = append(all, netip.MustParseAddr(a))
		}
		got := addressesOf(all, &rules)
		texts := func(of []netip.Addr) (texts []string) {
			for _, a := range of {
				texts = append(texts, a.String())
			}
			return texts
		}
		if diff := cmp.Diff([][]string{tt.first, tt.others}, [][]string{texts(got.First), texts(got.Others)}); diff != "" {
			t.Errorf("%v: %s", tt.all, diff)
		}
	}
}

// The names of a machine's hosts file are known without a server.
func TestTheHostsFile(t *testing.T) {
	one := lookup{dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no server should be asked")
	}}
	all, ttl, err := one.resolve(t.Context(), "localhost", unheardTTL)
	if err != nil || len(all) == 0 || !all[0].IsLoopback() || ttl != unheardTTL {
		t.Errorf("%v for %s: %v", all, ttl, err)
	}
}

// A lookup that nobody waits for any more leaves the servers that it has asked, before they answer or time out.
func TestALookupThatEndsLeavesItsServers(t *testing.T) {
	bubble(t, func(in inside) {
		var open atomic.Int32
		var servers sync.WaitGroup
		dial := func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			open.Add(1)
			servers.Go(func() {
				_, _ = io.Copy(io.Discard, theirs)
				open.Add(-1)
			})
			return ours, nil
		}
		names := followed(in.T, Options{Dial: dial})
		names.Name(pods)
		synctest.Wait()
		if open.Load() == 0 {
			in.Error("no server was asked")
		}
		names.Retain(nil)
		synctest.Wait()
		if n := open.Load(); n != 0 {
			in.Errorf("%d connections are open", n)
		}
		servers.Wait()
	})
}

// A name that is forgotten is not resolved any more, also where its server does not answer; one that is kept goes on.
func TestResolutionEnds(t *testing.T) {
	bubble(t, func(in inside) {
		t, s := in.T, in.Server
		s.Set("silent.example", nameserver.Answer{Silent: true})
		s.Set(pods, nameserver.Answer{TTL: 1, Addresses: []string{"10.0.0.1"}})
		names := followed(t, Options{Dial: s.Dial})
		kept := names.Name(pods)
		names.Name("silent.example")
		names.Name("forgotten.example")
		until(t, kept, "[10.0.0.1]")
		names.Retain(map[string]bool{pods: true})
		time.Sleep(time.Second)
		forgotten, before := s.Asked("forgotten.example")+s.Asked("silent.example"), s.Asked(pods)
		time.Sleep(time.Minute)
		if s.Asked("forgotten.example")+s.Asked("silent.example") != forgotten || s.Asked(pods) < before+50 {
			t.Error("a forgotten name is still resolved, or one that was kept is not")
		}
		if names.Name(pods) != kept {
			t.Error("a name that was kept is another one")
		}
	})
}
