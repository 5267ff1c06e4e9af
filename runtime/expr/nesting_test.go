package expr

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestHostileExpressionsCostLittle: the operator compiles what tenants write; the first of these took it two gigabytes. The
// bound leaves room for what the race detector adds.
func TestHostileExpressionsCostLittle(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"maps":           {strings.Repeat("{'a':", 200) + "1" + strings.Repeat("}", 200), "20 levels"},
		"lists":          {strings.Repeat("[", 200) + "1" + strings.Repeat("]", 200), "20 levels"},
		"macros":         {strings.Repeat("[", 60) + "1" + strings.Repeat("].map(x, [x, x])", 60), "20 levels"},
		"within macros":  {strings.Repeat("[1].exists(x, ", 60) + "true" + strings.Repeat(")", 60), "20 levels"},
		"in a row":       {"[1]" + strings.Repeat(".map(x, [x])", 61), "more than 60 times"},
		"not too many":   {"[1]" + strings.Repeat(".map(x, [x])", 50), ""},
		"many items":     {"[" + strings.Repeat("1,", 3900) + "1]", ""},
		"many macros":    {strings.Repeat("[1].exists(x, x==1) && ", 300) + "true", ""},
		"deep, repeated": {"[" + strings.Repeat(strings.Repeat("[", 18)+"1"+strings.Repeat("]", 18)+",", 200) + "[]]", ""},
	} {
		env := testEnv(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := env.Compile("${" + tt.in + "}")
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 96<<20 {
			t.Errorf("%s took %d KiB", name, used>>10)
		}
		if e, _ := errors.AsType[*Error](err); tt.want != "" && (e == nil || e.Column != 3 || !strings.Contains(e.Message, tt.want)) || tt.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
