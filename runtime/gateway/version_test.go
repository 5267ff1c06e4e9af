package gateway

import "testing"

func TestVersionOfTheProgram(t *testing.T) {
	for name, tt := range map[string]struct{ build, toolchain, want string }{
		"from a commit":                  {"", "v1.2.3", "v1.2.3"},
		"from a commit, against a build": {"v9.9.9", "v1.2.3", "v1.2.3"},
		"without a repository":           {"v1.2.3", unstamped, "v1.2.3"},
		"without modules":                {"v1.2.3", "", "v1.2.3"},
		"with neither":                   {"", unstamped, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := versionOf(tt.build, tt.toolchain); got != tt.want {
				t.Errorf("the version is %q, want %q", got, tt.want)
			}
		})
	}
}
