package docs_test

import (
	"fmt"
	"go/constant"
	"go/types"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// TestLimits compares every row of docs/limits.md with the constant that it names.
func TestLimits(t *testing.T) {
	scopes := map[string]*types.Scope{}
	for _, row := range table(t, "docs/limits.md", "bound", "value") {
		dir, name, _ := strings.Cut(codes(row[3])[0], ".")
		if scopes[dir] == nil {
			scopes[dir] = constants(t, dir)
		}
		bound, ok := scopes[dir].Lookup(name).(*types.Const)
		if !ok {
			t.Errorf("%s: there is no constant %s in %s", row[0], name, dir)
			continue
		}
		if got := written(bound); got != row[1] && got+" levels" != row[1] && plain(bound) != row[1] {
			t.Errorf("%s is %s, the page says %s", row[0], got, row[1])
		}
	}
}

// TestMemory compares what the page says that containers of some sizes allow.
func TestMemory(t *testing.T) {
	for _, row := range table(t, "docs/limits.md", "container", "`maxInFlight` unless set") {
		size, err := resource.ParseQuantity(strings.TrimSuffix(strings.ReplaceAll(row[0], " ", ""), "B"))
		if err != nil {
			t.Fatal(err)
		}
		a := admission.New(2, size.Value()/100*90) // as controllers/render has it
		a.SetLimit(0)
		if got := fmt.Sprintf("%d, %d MiB", a.Limit(), a.Bytes.Total()>>20); got != row[1]+", "+row[2] {
			t.Errorf("%s: %s, the page says %s, %s", row[0], got, row[1], row[2])
		}
	}
}

// written is a bound as the page writes it: a duration, or bytes in the largest unit that divides them.
func written(c *types.Const) string {
	n, _ := constant.Int64Val(constant.ToInt(c.Val()))
	if strings.HasSuffix(c.Type().String(), "time.Duration") {
		return shortest(time.Duration(n))
	}
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return plain(c)
}

func plain(c *types.Const) string { return constant.ToInt(c.Val()).ExactString() }

// shortest is a duration without the units that are zero.
func shortest(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

// TestDrainFigures compares the figures of docs/streams.md that are derived from maxStreamDuration.
func TestDrainFigures(t *testing.T) {
	for _, row := range drainRows() {
		if text := read(t, "docs/streams.md"); !strings.Contains(text, row) {
			t.Errorf("docs/streams.md does not say %q", row)
		}
	}
}

func drainRows() []string {
	const longest = time.Hour
	beyond := delivery.GracePeriod(longest) - longest
	return []string{
		fmt.Sprintf("| %s | no new connections are accepted.", delivery.DrainDelay),
		fmt.Sprintf("| %s + `maxStreamDuration` | the remaining requests end", delivery.DrainDelay),
		fmt.Sprintf("| %s + `maxStreamDuration` | the pod's `terminationGracePeriodSeconds`", beyond),
		fmt.Sprintf("For the default of 5m the grace period is %.0fs.", delivery.GracePeriod(5*time.Minute).Seconds()),
	}
}
