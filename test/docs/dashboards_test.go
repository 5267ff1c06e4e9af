package docs_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// dashboard is what a test reads of a dashboard of Grafana.
type dashboard struct {
	UID        string  `json:"uid"`
	Title      string  `json:"title"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
}

type variable struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Definition string `json:"definition"`
}

type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	} `json:"gridPos"`
	Targets []struct {
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
		RefID  string `json:"refId"`
	} `json:"targets"`
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	all := map[string]dashboard{}
	for _, name := range []string{"services", "operator"} {
		var d dashboard
		if err := json.Unmarshal([]byte(read(t, "charts/llmservice/files/dashboards/"+name+".json")), &d); err != nil {
			t.Fatal(err)
		}
		all[name] = d
	}
	return all
}

// Variables of a dashboard stand for text, and those of Grafana for durations.
var (
	grafanaDuration = regexp.MustCompile(`\$__(rate_)?interval`)
	grafanaVariable = regexp.MustCompile(`\$(\w+)`)
	legendLabel     = regexp.MustCompile(`\{\{(\w+)\}\}`)
	labelValues     = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
)

// TestDashboards: Prometheus reads the query of each panel and each variable, which asks for metrics and labels that there are, and
// uses only the dashboard's own variables.
func TestDashboards(t *testing.T) {
	known := scraped(t)
	failures := append(valuesOf(t, "runtime/relay", "FailureKind"), "none")
	for name, d := range dashboards(t) {
		variables := []string{"datasource"}
		check := func(at, query string) parser.Expr {
			plain := grafanaDuration.ReplaceAllString(query, "5m")
			for _, v := range grafanaVariable.FindAllStringSubmatch(plain, -1) {
				if !slices.Contains(variables, v[1]) {
					t.Errorf("%s: %s: there is no variable %s", name, at, v[1])
				}
			}
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(grafanaVariable.ReplaceAllString(plain, "x"))
			if err != nil {
				t.Fatalf("%s: %s: %v", name, at, err)
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				if selector, ok := node.(*parser.VectorSelector); ok {
					checkSelector(t, name+": "+at, selector, known, failures)
				}
				return nil
			})
			return expr
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				asked := labelValues.FindStringSubmatch(v.Definition)
				if asked == nil {
					t.Fatalf("%s: %s asks %q", name, v.Name, v.Definition)
				}
				if selector, ok := check(v.Name, asked[1]).(*parser.VectorSelector); !ok || !slices.Contains(known[selector.Name], asked[2]) {
					t.Errorf("%s: %s: %s has no label %s", name, v.Name, asked[1], asked[2])
				}
			}
			variables = append(variables, v.Name)
		}
		queries := 0
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				queries++
				left := labelsLeft(check(p.Title, target.Expr))
				for _, label := range legendLabel.FindAllStringSubmatch(target.Legend, -1) {
					if !slices.Contains(left, label[1]) {
						t.Errorf("%s: %s: the legend has %s; left are %v", name, p.Title, label[1], left)
					}
				}
			}
		}
		if queries < 15 {
			t.Errorf("%s has %d queries", name, queries)
		}
	}
}

// labelsLeft are those by which the outermost aggregations of an expression group; each query of the dashboards has one.
func labelsLeft(expr parser.Expr) []string {
	var left []string
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		inside := slices.ContainsFunc(path, func(n parser.Node) bool { _, is := n.(*parser.AggregateExpr); return is })
		if by, ok := node.(*parser.AggregateExpr); ok && !inside && !by.Without {
			left = append(left, by.Grouping...)
		}
		return nil
	})
	return left
}

// TestDashboardsAreWellFormed: a dashboard keeps its address, and each panel its place.
func TestDashboardsAreWellFormed(t *testing.T) {
	for name, d := range dashboards(t) {
		if d.UID != "llmservice-"+name || !strings.HasPrefix(d.Title, "LLMService / ") {
			t.Errorf("%s is %q at %q", name, d.Title, d.UID)
		}
		taken, ids := map[[2]int]string{}, map[int]bool{}
		for _, p := range d.Panels {
			if p.Title == "" || ids[p.ID] {
				t.Errorf("%s: panel %d has the title %q, or the ID of another", name, p.ID, p.Title)
			}
			ids[p.ID] = true
			if (p.Type == "row") != (len(p.Targets) == 0) {
				t.Errorf("%s: %s has %d queries", name, p.Title, len(p.Targets))
			}
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					if other := taken[cell]; other != "" || cell[0] >= 24 {
						t.Fatalf("%s: %s and %q overlap at %v, or it leaves the page", name, p.Title, other, cell)
					}
					taken[cell] = p.Title
				}
			}
		}
	}
}
