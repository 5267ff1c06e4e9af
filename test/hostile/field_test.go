//go:build hostile && linux

package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is measured, and how. The gaps between the events of the paced streams are compared with those of the same streams
// without an attack: calm windows come before each attack, so that both see the machine as it is at that time, and the
// median of the last few calm windows' 99th percentiles is what an attack's 99th percentile is held against. It may be
// most times as long, or floor longer where that is more: streams that have an event every 20 ms, and so are 22 ms apart at
// best, may have two events later. What seems to be late is held against the calm windows right before and after it as well,
// where these are worse: a neighbour's work is no harm of the attack's. An attack that seems to do harm is made again, and it does where two of three rounds say
// so: on a machine with neighbours one round may be theirs. Kills, cuts and answers have no second chance.
const (
	most      = 2
	floor     = 50 * time.Millisecond
	calm      = 400 * time.Millisecond
	calmKept  = 7
	rounds    = 3
	recovered = 10 * time.Second
)

// field is a gateway with its upstreams, its streams and its attacker.
type field struct {
	ctx             context.Context
	model, attacker *companion
	installation    *installation
	gateway         *gateway
	crowd           *crowd
	calms           []time.Duration
}

func newField(ctx context.Context) (*field, error) {
	hurry()
	f := &field{ctx: ctx}
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *field) open() (err error) {
	if f.model, err = startCompanion(roleModel, niceInstrument); err != nil {
		return err
	}
	if f.attacker, err = startCompanion(roleAttacker, niceAttacker); err != nil {
		return err
	}
	if f.installation, err = install(f.ctx, f.model.address, f.attacker.address); err != nil {
		return err
	}
	return f.begin()
}

// begin starts a gateway and its streams.
func (f *field) begin() (err error) {
	if f.gateway, err = f.installation.run(f.ctx); err != nil {
		return err
	}
	f.crowd = gather(f.ctx, f.gateway.api)
	return f.crowd.begun()
}

func (f *field) end() error {
	if f.crowd != nil {
		f.crowd.leave()
	}
	if f.gateway == nil {
		return nil
	}
	err := f.gateway.close()
	f.crowd, f.gateway = nil, nil
	return err
}

func (f *field) close() error {
	err := f.end()
	for _, c := range []*companion{f.model, f.attacker} {
		if c != nil {
			c.kill()
		}
	}
	if f.installation != nil {
		err = errors.Join(err, os.RemoveAll(f.installation.dir))
	}
	return err
}

// try makes attacks, each as a test of its own.
func try(t *testing.T, kind []attack) {
	t.Helper()
	for i := range kind {
		t.Run(kind[i].name, func(t *testing.T) { everything.suffer(t, &kind[i]) })
	}
}

// suffer makes an attack and judges what it did.
func (f *field) suffer(t *testing.T, a *attack) {
	t.Helper()
	var slow []string
	for round := 1; ; round++ {
		r := f.round(t, a)
		if r.late() {
			r.alone = max(r.alone, f.calms[len(f.calms)-1], f.window(t))
		}
		t.Logf("%s", r)
		if r.late() {
			slow = append(slow, r.delay())
		}
		switch {
		case 2*len(slow) > rounds, len(slow) > 0 && t.Failed():
			t.Errorf("the streams' events came late: %s", strings.Join(slow, "; "))
			return
		case len(slow) == 0, 2*(round-len(slow)) > rounds:
			return
		}
	}
}

// result is one attack, seen from all sides.
type result struct {
	report       findings
	memory       memory
	limit        int64
	alone, under time.Duration
	events       int
	cores        string
}

func (r *result) allowed() time.Duration { return max(most*r.alone, r.alone+floor) }
func (r *result) late() bool             { return r.under > r.allowed() }

func (r *result) delay() string {
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("p99 of %d gaps %v, alone %v, allowed %v", r.events, round(r.under), round(r.alone), round(r.allowed()))
}

func (r *result) String() string {
	return fmt.Sprintf("%s; slowest %v; %d MiB of %d; %s; %s", r.report, r.report.Slowest.Round(time.Millisecond),
		r.memory.peak>>20, r.limit>>20, r.delay(), r.cores)
}

// round makes the attack once, between calm streams and a check that the replica has got over it.
func (f *field) round(t *testing.T, a *attack) *result {
	t.Helper()
	f.stand(t)
	r := &result{limit: f.installation.memory, alone: f.alone(t)}
	if !f.gateway.alive() {
		t.Fatalf("the gateway ended before the attack, with %v: what came before was not over", f.gateway.err)
	}
	group := f.gateway.group
	group.forget()
	before := group.memory()
	var begin time.Time
	var err error
	watched, busy := func() {}, f.busy()
	r.report, err = f.attacker.order(f.gateway.api, a.name, func() { begin, watched = time.Now(), f.profile(a.name) })
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.cores = busy()
	gaps := f.crowd.gapsIn(begin, time.Now())
	r.events, r.under = len(gaps), percentile(gaps, 99)
	rest := f.recover()
	watched()
	r.memory = group.memory().since(before, r.limit)
	f.judge(t, r)
	if rest != nil && f.gateway.alive() {
		t.Errorf("after the attack: %v", rest)
	}
	if f.gateway.alive() {
		found, err := f.gateway.leaks(f.ctx)
		if err != nil {
			t.Errorf("look for what has leaked: %v", err)
		}
		for _, leak := range found {
			t.Error(leak)
		}
	}
	return r
}

// judge has what no second round excuses.
func (f *field) judge(t *testing.T, r *result) {
	t.Helper()
	if r.memory.kills > 0 {
		<-f.gateway.ended // the kernel has killed it, which takes a moment
	}
	if !f.gateway.alive() {
		t.Errorf("the gateway was killed: %d MiB of %d, %d kills for memory", r.memory.peak>>20, r.limit>>20, r.memory.kills)
		if r.memory.kills == 0 {
			t.Logf("it ended with %v, and said last: %s", f.gateway.err, f.gateway.log.String())
		}
	} else if r.memory.full > 0 {
		t.Errorf("the gateway reached its bound of %d MiB %d times", r.limit>>20, r.memory.full)
	}
	if err := f.crowd.cut(); err != nil {
		t.Errorf("streams were cut: %v", err)
	}
	for _, wrong := range r.report.Wrong {
		t.Errorf("answered %s", wrong)
	}
}

// busy says what the processes have been doing since it was made: how many cores they used (and how many they waited for).
func (f *field) busy() func() string {
	parts := []struct {
		name string
		of   func() cores
	}{
		{"gateway", f.gateway.cores},
		{"model", f.model.cores},
		{"attacker", f.attacker.cores},
		{"clients", func() cores { return coresOf(os.Getpid()) }},
	}
	begin, before := time.Now(), make([]cores, len(parts))
	for i, part := range parts {
		before[i] = part.of()
	}
	return func() string {
		said := make([]string, len(parts))
		for i, part := range parts {
			said[i] = part.name + " " + part.of().since(before[i]).over(time.Since(begin))
		}
		return "cores used (waited for): " + strings.Join(said, ", ")
	}
}

// stand sees to it that there is a gateway with all its streams, whatever the attack before has left.
func (f *field) stand(t *testing.T) {
	t.Helper()
	if f.gateway != nil && f.gateway.alive() && f.crowd.cut() == nil && f.small() == nil && f.gateway.atRest(f.ctx) == nil {
		return
	}
	if err := f.end(); err != nil {
		t.Fatalf("end the gateway: %v", err)
	}
	if err := f.begin(); err != nil {
		t.Fatalf("start the gateway again: %v", err)
	}
	f.calms = nil
}

// alone measures the streams without an attack.
func (f *field) alone(t *testing.T) time.Duration {
	t.Helper()
	f.crowd.forget()
	windows := 1
	if len(f.calms) == 0 {
		windows = 3 // the first are those of a gateway that has just begun
	}
	for range windows {
		f.calms = append(f.calms, f.window(t))
	}
	f.calms = f.calms[max(0, len(f.calms)-calmKept):]
	sorted := slices.Sorted(slices.Values(f.calms))
	return sorted[len(sorted)/2]
}

// window is the streams' 99th percentile of a while without an attack.
func (f *field) window(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	select {
	case <-time.After(calm):
	case <-f.ctx.Done():
		t.Fatal(f.ctx.Err())
	}
	return percentile(f.crowd.gapsIn(begin, time.Now()), 99)
}

// recover waits until the replica answers others as before, and has done with what was asked for: clients have left by now.
func (f *field) recover() error {
	deadline := time.Now().Add(recovered)
	for {
		err := f.small()
		if err == nil {
			err = f.gateway.atRest(f.ctx)
		}
		if err == nil || time.Now().After(deadline) || !f.gateway.alive() {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
}

// small is a request of somebody else: valid, small, and answered at once.
func (f *field) small() error {
	ctx, cancel := context.WithTimeout(f.ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.gateway.api+"/integer", strings.NewReader(`{"i": 1}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := operator.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(answer.Body); err != nil {
		return err
	}
	if got, want := body.String(), `{"i":1}`; answer.StatusCode != http.StatusOK || got != want {
		return fmt.Errorf("a small request is answered %d %.200s, want %s", answer.StatusCode, got, want)
	}
	return nil
}

// profile keeps what the gateway works on during an attack, and its heap when that is largest, where somebody wants to know.
func (f *field) profile(name string) (stop func()) {
	if profiles == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(f.ctx)
	var wg sync.WaitGroup
	keep := func(kind, path string) {
		var text bytes.Buffer
		if status, err := f.gateway.get(ctx, path, &text); err == nil && status == http.StatusOK {
			_ = os.WriteFile(filepath.Join(profiles, name+kind), text.Bytes(), 0o600)
		}
	}
	wg.Go(func() { keep(".cpu", "/debug/pprof/profile?seconds=1") })
	wg.Go(func() {
		top := f.installation.memory / 2
		for ctx.Err() == nil {
			if now := f.gateway.group.memory().now; now > top+top/20 {
				top = now
				keep(".heap", "/debug/pprof/heap")
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
