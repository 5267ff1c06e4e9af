package v1alpha1

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestDurationParse(t *testing.T) {
	for text, want := range map[Duration]time.Duration{
		"300ms":        300 * time.Millisecond,
		"10s":          10 * time.Second,
		"1m30s":        90 * time.Second,
		"1h2m3s4ms":    time.Hour + 2*time.Minute + 3*time.Second + 4*time.Millisecond,
		"00005s":       5 * time.Second,
		"99999h":       99999 * time.Hour,
		"1s1s1s1s":     4 * time.Second,
		"0s":           0,
		"99999h99999h": 2 * 99999 * time.Hour,
	} {
		if got, err := text.Parse(); err != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []Duration{"", "5", "s", "1d", "1.5s", "-1s", "+1s", "1us", "1µs", "100000s", "1s 2s", "1s1s1s1s1s", "1S", "s1"} {
		if got, err := text.Parse(); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

// The patterns stand twice, since a marker cannot name a constant.
func TestPatternsAreTheSchemas(t *testing.T) {
	definition, err := os.ReadFile("../../config/crd/bases/serving.llmservice.dev_llmservices.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(definition), "pattern: "+DurationPattern+"\n") {
		t.Errorf("the schema has no pattern %s", DurationPattern)
	}
	if !strings.Contains(string(definition), "rule: self.matches('"+ImagePattern+"')\n") {
		t.Errorf("the schema has no rule for %s", ImagePattern)
	}
}

// What the pattern lets through, the API stores: each of it must be a duration, or one object would break every reader.
func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"1h2m3s4ms", "99999h99999m99999s99999ms", "1d", "", "1h1", "٣s"} {
		f.Add(seed)
	}
	pattern := regexp.MustCompile(DurationPattern)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Duration(text).Parse()
		if matches := pattern.MatchString(text); matches != (err == nil) {
			t.Errorf("%q: matches the pattern: %v, parses: %v", text, matches, err)
		}
		if err == nil && got < 0 {
			t.Errorf("%q is %v", text, got)
		}
	})
}
