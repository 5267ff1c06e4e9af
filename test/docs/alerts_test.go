package docs_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	_ "sigs.k8s.io/controller-runtime/pkg/controller" // whose metrics are among those of a manager
	managermetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/runtime/metrics"
)

// alerts are the files with PrometheusRules.
var alerts = []string{"config/prometheus/alerts.yaml", "config/prometheus/operator-alerts.yaml"}

// rule is an alert of a PrometheusRule.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func rules(t *testing.T) []rule {
	t.Helper()
	var all []rule
	for _, file := range alerts {
		all = append(all, rulesOf(t, read(t, file))...)
	}
	if len(all) < 10 {
		t.Fatalf("there are %d rules", len(all))
	}
	return all
}

func rulesOf(t *testing.T, manifest string) []rule {
	t.Helper()
	var object struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       struct {
			Groups []struct {
				Name  string `json:"name"`
				Rules []rule `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.UnmarshalStrict([]byte(manifest), &object); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, group := range object.Spec.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// gauges are those whose name ends like that of a histogram.
var gauges = map[string]bool{"workqueue_unfinished_work_seconds": true, "workqueue_longest_running_processor_seconds": true}

// scraped are the labels of each metric, as the pods have it and as Prometheus adds to it.
func scraped(t *testing.T) map[string][]string {
	t.Helper()
	described := map[string]string{}
	describe(metrics.New(metrics.Load{}).Registry, described)
	describeAll(managermetrics.Registry.(prometheus.Collector), described)
	all := map[string][]string{}
	for name, list := range described {
		of := append(strings.Split(list, ","), "namespace", "pod", "service")
		all[name] = of
		if strings.HasSuffix(name, "_seconds") && !gauges[name] {
			all[name+"_bucket"] = append(slices.Clone(of), "le")
		}
	}
	return all
}

// TestAlerts: Prometheus reads each alert, and each asks for metrics, labels and values that there are.
func TestAlerts(t *testing.T) {
	known := scraped(t)
	failures := append(valuesOf(t, "runtime/relay", "FailureKind"), "none")
	for _, r := range rules(t) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
		if err != nil {
			t.Errorf("%s: %v", r.Alert, err)
			continue
		}
		if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
			t.Errorf("%s: %v", r.Alert, err)
		}
		if !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				checkSelector(t, r.Alert, selector, known, failures)
			}
			return nil
		})
		checkSummary(t, r, expr, known)
	}
}

func checkSelector(t *testing.T, alert string, s *parser.VectorSelector, known map[string][]string, failures []string) {
	t.Helper()
	if known[s.Name] == nil {
		t.Errorf("%s: nothing has the metric %s", alert, s.Name)
	}
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			continue
		}
		if !slices.Contains(known[s.Name], m.Name) {
			t.Errorf("%s: %s has no label %s", alert, s.Name, m.Name)
		}
		for value := range strings.SplitSeq(m.Value, "|") {
			if m.Name == "failure" && !slices.Contains(failures, value) {
				t.Errorf("%s: there is no failure %q", alert, value)
			}
		}
	}
}

var summaryLabel = regexp.MustCompile(`\$labels\.(\w+)`)

// checkSummary: a summary names only labels that its expression leaves.
func checkSummary(t *testing.T, r rule, expr parser.Expr, known map[string][]string) {
	t.Helper()
	left := map[string]bool{}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		inside := slices.ContainsFunc(path, func(n parser.Node) bool { _, is := n.(*parser.AggregateExpr); return is })
		switch n := node.(type) {
		case *parser.AggregateExpr:
			for _, name := range n.Grouping {
				left[name] = left[name] || !inside
			}
		case *parser.VectorSelector:
			for _, name := range known[n.Name] {
				left[name] = left[name] || !inside
			}
		}
		return nil
	})
	if r.Annotations["summary"] == "" {
		t.Errorf("%s has no summary", r.Alert)
	}
	for _, m := range summaryLabel.FindAllStringSubmatch(r.Annotations["summary"], -1) {
		if !left[m[1]] {
			t.Errorf("%s: the summary names the label %s; left are %v", r.Alert, m[1], slices.Sorted(maps.Keys(left)))
		}
	}
}

// TestAlertsAreExplained compares the table of the page with the alerts, and their waits.
func TestAlertsAreExplained(t *testing.T) {
	waits := regexp.MustCompile(`for (\d+) minutes`)
	var listed []string
	rows := map[string]string{}
	for _, row := range table(t, production, "alert", "fires when", "look at") {
		name := codes(row[0])[0]
		listed = append(listed, name)
		rows[name] = row[1]
	}
	var want []string
	for _, r := range rules(t) {
		want = append(want, r.Alert)
		if said := waits.FindStringSubmatch(rows[r.Alert]); said != nil && said[1]+"m" != r.For {
			t.Errorf("%s waits for %s, the page says %s minutes", r.Alert, r.For, said[1])
		}
	}
	same(t, production, want, listed)
}
