package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/test/seed"
)

// Only is a regular expression over SCRIPT/FAULT, of which all that match are played.
const Only = "LLMSERVICE_FAULTS"

// If nothing says which, so many scripts are chosen at random, and so many faults for each.
const someScripts, someFaults = 3, 4

// named is a fault that a script can be played under.
type named struct {
	// class is what faults have in common that differ in a number or a kind.
	class, name string
	make        func() fault
}

// faults are all that can go wrong with a script that takes so many writes.
func faults(s script, writes int) []named {
	all := []named{
		{"requests fail", "requests fail", func() fault { return failing{} }},
		{"killed", "killed again and again", func() fault { return killed{} }},
		{"watches cut", "watches cut", func() fault { return disconnected{} }},
		{"clock steps", "clock steps", func() fault { return clockSteps{} }},
		{"two operators", "two operators", func() fault { return twoOperators{} }},
	}
	add := func(class string, begin func() fault, format string, args ...any) {
		all = append(all, named{class, fmt.Sprintf(format, args...), begin})
	}
	for k := 1; k <= writes; k++ {
		add("crash before a write", func() fault { return newCrash(k, false) }, "crash before write %d", k)
		add("crash after a write", func() fault { return newCrash(k, true) }, "crash after write %d", k)
	}
	add("events "+doubled, func() fault { return newEvents(doubled, "") }, "events %s", doubled)
	for i, kind := range append([]string{"LLMService", "Pod"}, childKinds...) {
		for _, how := range eventFaults {
			add("events "+how, func() fault { return newEvents(how, kind) }, "events of %s %s", kind, how)
		}
		if kind == "LLMService" {
			continue
		}
		// Each kind with each status, but not in each script.
		status := []int{403, 422, 500}[(i+len(s.steps))%3]
		add("a kind unwritable", func() fault { return unwritable{kind: kind, status: status} }, "%s unwritable, %d", kind, status)
	}
	for at := 1; at < len(s.steps)-1; at++ {
		add("old view", func() fault { return newOldView(at) }, "old view of step %d", at)
		add("old view", func() fault { return newOldView(at, "LLMService", "ConfigMap") }, "old view of step %d, of specs alone", at)
	}
	return all
}

// choice is what of all this is played.
type choice struct {
	// only says which runs; nil if chance does.
	only *regexp.Regexp
	seed uint64
	// scripts are those that chance has chosen.
	scripts []string
}

func chosen(t *testing.T) choice {
	t.Helper()
	c := choice{seed: seed.Of(t)}
	if text := os.Getenv(Only); text != "" {
		c.only = regexp.MustCompile(text)
	}
	random := rand.New(rand.NewPCG(c.seed, 1))
	for _, i := range random.Perm(len(scripts))[:someScripts] {
		c.scripts = append(c.scripts, scripts[i].name)
	}
	return c
}

// has reports whether a script is played at all.
func (c choice) has(s script) bool {
	if c.only == nil {
		return slices.Contains(c.scripts, s.name)
	}
	return slices.ContainsFunc(faults(s, 200), func(f named) bool { return c.only.MatchString(s.name + "/" + f.name) })
}

// plays reports whether a script is played under one fault that all scripts have in common.
func (c choice) plays(s script, fault string) bool {
	if c.only == nil {
		return slices.Contains(c.scripts, s.name)
	}
	return c.only.MatchString(s.name + "/" + fault)
}

// of chooses of the faults: chance takes classes first, so that crashes, of which there are most, are not all.
func (c choice) of(s script, all []named) []named {
	if c.only != nil {
		return slices.DeleteFunc(all, func(f named) bool { return !c.only.MatchString(s.name + "/" + f.name) })
	}
	classes := map[string][]named{}
	for _, f := range all {
		classes[f.class] = append(classes[f.class], f)
	}
	names := slices.Sorted(maps.Keys(classes))
	random := rand.New(rand.NewPCG(c.seed, uint64(slices.Index(c.scripts, s.name))+2))
	var some []named
	for _, i := range random.Perm(len(names))[:someFaults] {
		class := classes[names[i]]
		some = append(some, class[random.IntN(len(class))])
	}
	return some
}

// TestFaults plays each script undisturbed and then under its faults, and compares.
func TestFaults(t *testing.T) {
	c := chosen(t)
	for _, s := range scripts {
		if !c.has(s) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			undisturbed := play(t, s, nothing{}, c.seed).result()
			t.Logf("undisturbed: %s", undisturbed)
			if t.Failed() {
				return
			}
			for _, f := range c.of(s, faults(s, undisturbed.writes)) {
				t.Run(f.name, func(t *testing.T) {
					t.Parallel()
					count(t, s.name)
					compare(t, f.make(), undisturbed, c.seed, s)
				})
			}
		})
	}
}

func compare(t *testing.T, f fault, undisturbed end, seed uint64, s script) {
	t.Helper()
	r := play(t, s, f, seed)
	got := r.result()
	var diff string
	// What was dropped is listed anew, after a pause that the client chooses.
	for deadline := time.Now().Add(patience); ; got = r.result() {
		want, have := undisturbed.objects, got.objects
		if got.hasty || f.blocks() || s.loose {
			want, have = lastGoodless(want), lastGoodless(have)
		}
		if diff = cmp.Diff(want, have); diff == "" || time.Now().After(deadline) {
			break
		}
		r.rest()
	}
	if diff != "" {
		t.Errorf("not as undisturbed (-undisturbed +disturbed):\n%s", diff)
	}
	for _, kind := range append([]string{"status"}, childKinds...) {
		limit := undisturbed.changes[kind] + f.slack(kind) + s.together
		if kind == "status" {
			limit = 2*limit + 10
		}
		if n := got.changes[kind]; n > limit {
			t.Errorf("%d writes changed a %s, undisturbed %d", n, kind, undisturbed.changes[kind])
		}
	}
}
