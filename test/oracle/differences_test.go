package oracle

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// difference is a way in which LLMService differs from FastAPI on purpose.
type difference struct {
	Number int     `json:"number"`
	Title  string  `json:"title"`
	Reason string  `json:"reason"`
	Where  []where `json:"where"`
}

// where says which deltas a difference explains. Each field is a pattern in which * stands for any text; one that is
// left out fits all.
type where struct {
	Request string `json:"request"`
	At      string `json:"at"`
	FastAPI string `json:"fastapi"`
	Gateway string `json:"gateway"`
}

func readDifferences(t *testing.T) []difference {
	t.Helper()
	raw, err := os.ReadFile("differences.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []difference
	if err := yaml.UnmarshalStrict(raw, &all); err != nil {
		t.Fatalf("differences.yaml: %v", err)
	}
	for i, d := range all {
		if d.Number != i+1 || d.Title == "" || d.Reason == "" || len(d.Where) == 0 {
			t.Errorf("differences.yaml: entry %d wants the number %d, a title, a reason and where it shows", i, i+1)
		}
	}
	return all
}

func (w *where) fits(d *delta) bool {
	return fits(w.Request, d.request) && fits(w.At, d.at) && fits(w.FastAPI, d.fastapi) && fits(w.Gateway, d.gateway)
}

func fits(pattern, text string) bool {
	if pattern == "" || pattern == text {
		return true
	}
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	return regexp.MustCompile(`(?s)^` + expression + `$`).MatchString(text)
}

// verdict is what became of a comparison.
type verdict struct {
	differences []difference
	explained   [][]delta // by the difference's place in the list
	unlisted    []delta
	gone        []string // where a listed difference no longer shows
}

// judge gives each delta to the first difference that explains it.
func judge(all []difference, deltas []delta) *verdict {
	v := &verdict{differences: all, explained: make([][]delta, len(all))}
	shown := make([][]bool, len(all))
	for i := range all {
		shown[i] = make([]bool, len(all[i].Where))
	}
	for _, d := range deltas {
		if i, j := explain(all, &d); i >= 0 {
			v.explained[i] = append(v.explained[i], d)
			shown[i][j] = true
		} else {
			v.unlisted = append(v.unlisted, d)
		}
	}
	for i := range all {
		for j, seen := range shown[i] {
			if !seen {
				v.gone = append(v.gone, fmt.Sprintf("%d. %s: %+v", all[i].Number, all[i].Title, all[i].Where[j]))
			}
		}
	}
	return v
}

func explain(all []difference, d *delta) (entry, place int) {
	for i := range all {
		if j := slices.IndexFunc(all[i].Where, func(w where) bool { return w.fits(d) }); j >= 0 {
			return i, j
		}
	}
	return -1, -1
}

// print writes the differences by their numbers, with all that shows them.
func (v *verdict) print(w io.Writer) error {
	var b strings.Builder
	for i, d := range v.differences {
		fmt.Fprintf(&b, "\n%d. %s (%s)\n   %s\n", d.Number, d.Title, count(v.explained[i]), strings.TrimSpace(d.Reason))
		printDeltas(&b, v.explained[i])
	}
	if len(v.unlisted) > 0 {
		fmt.Fprintf(&b, "\nNOT LISTED (%s)\n", count(v.unlisted))
		printDeltas(&b, v.unlisted)
	}
	for _, where := range v.gone {
		fmt.Fprintf(&b, "\nNO LONGER THERE: %s\n", where)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func count(deltas []delta) string {
	requests := map[string]bool{}
	for _, d := range deltas {
		requests[d.request] = true
	}
	return fmt.Sprintf("%d in %d requests", len(deltas), len(requests))
}

func printDeltas(b *strings.Builder, deltas []delta) {
	for _, d := range slices.SortedStableFunc(slices.Values(deltas), func(a, b delta) int { return cmp.Compare(a.request, b.request) }) {
		fmt.Fprintf(b, "   - %s, %s: FastAPI %s, LLMService %s\n", d.request, d.at, shown(d.fastapi), shown(d.gateway))
	}
}

// shown bounds a text and keeps it on one line.
func shown(text string) string {
	const most = 160
	if quoted := fmt.Sprintf("%q", text); strings.ContainsAny(text, "\n\r\t") {
		text = quoted
	}
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
