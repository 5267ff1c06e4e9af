package docs_test

import (
	"regexp"
	"testing"
)

// SECURITY.md says within how many days somebody who reports a vulnerability hears of what.
func TestResponseTimes(t *testing.T) {
	rows := table(t, "SECURITY.md", "you hear from us", "within")
	if len(rows) < 4 {
		t.Errorf("there are %d times, want those of the arrival, the judgement, and the fix of a severe and of any other problem", len(rows))
	}
	days := regexp.MustCompile(`^[1-9][0-9]* (working )?days$`)
	for _, row := range rows {
		if !days.MatchString(row[1]) {
			t.Errorf("%s: %q, want a number of days", row[0], row[1])
		}
	}
}

// CI looks up known vulnerabilities: the chain from .ci/run to the check has no gap.
func TestVulnerabilitiesAreLookedUpInCI(t *testing.T) {
	for file, want := range map[string]string{
		".ci/run":                   `(?m)^ *phase verify [0-9]+ verify$`,
		"Makefile":                  `(?m)^verify:.* vulnerabilities .*\n(?s:.*)^vulnerabilities:.*\n\t\.ci/vulnerabilities/check \$\(MODULES\)$`,
		".ci/vulnerabilities/check": `govulncheck`,
	} {
		if !regexp.MustCompile(want).MatchString(read(t, file)) {
			t.Errorf("%s does not match %s", file, want)
		}
	}
}
