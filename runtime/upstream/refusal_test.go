package upstream

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// A key belongs to one upstream: the upstream's other endpoints get the same key, and the next upstream gets another.
func TestARefusedKeyMovesOn(t *testing.T) {
	for _, status := range []int{401, 403} {
		refused := relay.Failure{Kind: relay.FailedStatus, Status: status}
		next := two(t, nil, "").Attempts()
		first, _ := next(t.Context(), relay.Failure{})
		first.Release()
		second, _ := next(t.Context(), refused)
		if second == nil || first.Upstream != "first" || second.Upstream != "second" {
			t.Fatalf("after %d: %+v", status, second)
		}
		second.Release()
		if third, final := next(t.Context(), refused); third != nil || final.Status != status {
			t.Errorf("after two refusals: %+v, %v; want the refusal", third, final)
		}
		once := two(t, nil, "")
		once.Once = true
		attempts := once.Attempts()
		if a, _ := attempts(t.Context(), relay.Failure{}); a != nil {
			a.Release()
		}
		if a, _ := attempts(t.Context(), refused); a != nil {
			t.Errorf("what may arrive once was sent again after %d", status)
		}
	}
}

func TestRefusedKeys(t *testing.T) {
	const path = "keys/openai"
	dir := t.TempDir()
	file := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(value string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refusal := relay.Failure{Kind: relay.FailedStatus, Status: 401}
	write("one")
	synctest.Test(t, func(t *testing.T) {
		c := NewCredentials(dir, "/")
		attempt := func(f relay.Failure) {
			t.Helper()
			plan := two(t, c, path)
			a, _ := plan.Attempts()(t.Context(), relay.Failure{})
			if a == nil || a.Upstream != "first" {
				t.Fatalf("attempt %+v", a)
			}
			a.Release()
			a.Turn.Settle(t.Context(), f)
		}
		refused := func(when string, want bool) {
			t.Helper()
			if _, got := c.Refused("first", path); got != want {
				t.Errorf("%s: refused = %v, want %v", when, got, want)
			}
		}
		refused("before any call", false)
		attempt(refusal)
		refused("by the first call", true)
		if _, other := c.Refused("second", path); other {
			t.Error("another upstream is said to refuse it")
		}
		attempt(relay.Failure{})
		refused("once it was accepted", false)
		began := time.Now()
		attempt(refusal)
		refused("just after it was accepted", false)
		time.Sleep(refusedFor)
		attempt(refusal)
		refused("for a while", true)
		if since, _ := c.Refused("first", path); !since.Equal(began) {
			t.Errorf("since %v, want %v", since, began)
		}
		for _, f := range []relay.Failure{{Kind: relay.FailedConnect}, {Kind: relay.FailedStatus, Status: 500}, {Kind: relay.FailedStatus, Status: 429}} {
			attempt(f)
			refused("by a call that failed otherwise", true)
		}

		// A call with the old key that ends after the rotation says nothing about the new one.
		var late []*Attempt
		for range 3 {
			a, _ := two(t, c, path).Attempts()(t.Context(), relay.Failure{})
			a.Release()
			late = append(late, a)
		}
		write("two")
		time.Sleep(credentialTTL)
		if times, err := c.Changed(path); err != nil || !times.Since.Equal(time.Now()) || times.Modified.IsZero() {
			t.Errorf("after the rotation: %+v, %v", times, err)
		}
		refused("after the rotation", false)
		late[0].Turn.Settle(t.Context(), refusal)
		refused("by a call of before the rotation", false)
		attempt(refusal)
		refused("the new one", true)
		// Nor does it undo what is known about the new one.
		for i, f := range []relay.Failure{{}, refusal} {
			late[i+1].Turn.Settle(t.Context(), f)
			refused("the new one, after a late answer to the old", true)
		}

		c.Retain(func(upstream, of string) bool { return upstream == "first" && of == path })
		refused("while it is used", true)
		c.Retain(func(string, string) bool { return false })
		refused("by an upstream that is not there any more", false)
	})
}

// If a file is written again with the same content, that is not a rotation.
func TestWhenASecretChanged(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "k")
	write := func(at time.Time) {
		t.Helper()
		if err := os.WriteFile(file, []byte("same"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := NewCredentials(dir, "/")
		if _, err := c.Changed("k"); err == nil {
			t.Error("a file that is not there has changed")
		}
		time.Sleep(credentialTTL)
		first := time.Now()
		write(first)
		before, _ := c.Changed("k")
		time.Sleep(time.Minute)
		write(time.Now())
		after, _ := c.Changed("k")
		if !before.Since.Equal(first) || !after.Since.Equal(first) || !after.Modified.Equal(time.Now()) {
			t.Errorf("%+v, then %+v", before, after)
		}
	})
}
