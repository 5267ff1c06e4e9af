package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Of two opposites one runs, and those with the same condition run together; other conditions are independent.
func TestRunsOfBranches(t *testing.T) {
	for name, tt := range map[string]struct {
		whens   []string
		want    [][]int
		skipped bool
	}{
		"none":                   {[]string{"", ""}, [][]int{{0, 1}}, false},
		"opposites":              {[]string{"${a.b}", "${!a.b}", ""}, [][]int{{1, 2}, {0, 2}}, false},
		"opposites alone":        {[]string{"${ a.b }", "${!(a.b)}"}, [][]int{{1}, {0}}, false},
		"in parentheses":         {[]string{"${!(a > 1 || (b))}", "${(a > 1 || (b))}"}, [][]int{{0}, {1}}, false},
		"the same":               {[]string{"${a}", "${a}"}, [][]int{nil, {0, 1}}, true},
		"independent":            {[]string{"${a}", "${b}"}, [][]int{nil, {0}, {1}, {0, 1}}, true},
		"half of it negated":     {[]string{"${a && b}", "${!a && b}"}, [][]int{nil, {0}, {1}, {0, 1}}, true},
		"two in parentheses":     {[]string{"${(a) && (b)}", "${!(a) && (b)}"}, [][]int{nil, {0}, {1}, {0, 1}}, true},
		"twice negated, and not": {[]string{"${!!a}", "${a}"}, [][]int{nil, {0}, {1}, {0, 1}}, true},
		"too many to try":        {[]string{"${a}", "${b}", "${c}", "${d}", "${e}", "${f}", "${g}", "${h}", "${i}"}, [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8}}, true},
	} {
		g := &Gather{Strategy: GatherFallback}
		for _, when := range tt.whens {
			g.Branches = append(g.Branches, Branch{When: when})
		}
		if diff := cmp.Diff(tt.want, g.Runs()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		if g.MayBeSkipped() != tt.skipped {
			t.Errorf("%s: may be skipped: %v", name, !tt.skipped)
		}
	}
}
