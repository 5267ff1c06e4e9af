package render_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

type alertGroups struct {
	Spec struct {
		Groups []struct {
			Rules []struct {
				Alert string `json:"alert"`
				Expr  string `json:"expr"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// expressions are those of a PrometheusRule's alerts, as Prometheus prints them, by name.
func expressions(t *testing.T, manifest []byte, change func(*parser.VectorSelector)) map[string]string {
	t.Helper()
	var rule alertGroups
	if err := yaml.Unmarshal(manifest, &rule); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, group := range rule.Spec.Groups {
		for _, r := range group.Rules {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			if err != nil {
				t.Fatalf("%s: %v", r.Alert, err)
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				if selector, ok := node.(*parser.VectorSelector); ok {
					change(selector)
				}
				return nil
			})
			all[r.Alert] = expr.String()
		}
	}
	return all
}

// aboutAll returns a PrometheusRule with the alerts about all services.
func aboutAll(t *testing.T) string {
	t.Helper()
	const head = `# Alerts about services, for the Prometheus Operator. Without it, spec is a rules file of Prometheus itself.
# docs/production.md says what each means and what to do. The label service comes from the PodMonitor next to this file.
# Written by: go test ./controllers/render -update
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: llmservice
spec:
`
	alerts, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, groups, _ := strings.Cut(string(alerts), "groups:\n")
	all := strings.NewReplacer("{@service}", "", "{@name}", "", "@service,", "", "@name,", "").Replace("groups:\n" + groups)
	return head + "  " + strings.TrimSuffix(strings.ReplaceAll(all, "\n", "\n  "), "  ")
}

// TestAlertsOfOneService: the rule of a service has the alerts about all services, and each metric in them is restricted to the
// service. The file with those about all is current.
func TestAlertsOfOneService(t *testing.T) {
	of := service(t, "minimal")
	of.Spec.Monitoring = &v1alpha1.Monitoring{PrometheusRule: &v1alpha1.MonitoringRule{}}
	var manifest []byte
	for _, child := range children(t, input(t, of)) {
		if child.Kind == "PrometheusRule" {
			manifest = manifestOf(t, []render.Child{child})
		}
	}
	restricted := map[string]string{"namespace": of.Namespace, "service": of.Name}
	got := expressions(t, manifest, func(s *parser.VectorSelector) {
		found := map[string]string{}
		var others []*labels.Matcher
		for _, m := range s.LabelMatchers {
			switch {
			case m.Name == "name" && (s.Name == "llmservice_condition" || s.Name == "llmservice_streams_cut_total"):
				found["service"] = m.Value // the manager's own label
			case m.Name == "namespace" || m.Name == "service":
				found[m.Name] = m.Value
			default:
				others = append(others, m)
			}
		}
		if diff := cmp.Diff(restricted, found); diff != "" {
			t.Errorf("%s is not restricted to the service (-want +got):\n%s", s.Name, diff)
		}
		s.LabelMatchers = others
	})
	page := filepath.Join("..", "..", "config", "prometheus", "alerts.yaml")
	if *update {
		if err := os.WriteFile(page, []byte(aboutAll(t)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(all), aboutAll(t)); diff != "" {
		t.Errorf("%s differs (go test -update writes it):\n%s", page, diff)
	}
	if diff := cmp.Diff(expressions(t, all, func(*parser.VectorSelector) {}), got); diff != "" || len(got) < 10 {
		t.Errorf("the alerts of a service differ from those of all services (-all +one):\n%s", diff)
	}
}

// TestIntervalsAreWrittenInOrder: Prometheus reads units in one order, and a manifest may have any.
func TestIntervalsAreWrittenInOrder(t *testing.T) {
	for wanted, want := range map[v1alpha1.Duration]string{"30s": "30s", "30s1m": "1m30s", "1500ms": "1s500ms", "90m": "1h30m"} {
		of := service(t, "minimal")
		of.Spec.Monitoring = &v1alpha1.Monitoring{PodMonitor: &v1alpha1.Monitor{Interval: wanted}}
		manifest := string(manifestOf(t, children(t, input(t, of))))
		if _, err := model.ParseDuration(want); err != nil {
			t.Error(err)
		}
		if !strings.Contains(manifest, "interval: "+want+"\n") {
			t.Errorf("interval %s is not written %s", wanted, want)
		}
	}
}

// TestLabelsOfMonitors: keys that Kubernetes would refuse, and the operator's own, are refused with the field.
func TestLabelsOfMonitors(t *testing.T) {
	good := map[string]v1alpha1.LabelValue{"release": "prometheus"}
	own := map[string]v1alpha1.LabelValue{render.LabelInstance: "other"}
	wrong := map[string]v1alpha1.LabelValue{"re lease": "prometheus"}
	for want, monitoring := range map[string]*v1alpha1.Monitoring{
		"": {
			PodMonitor: &v1alpha1.Monitor{Labels: good}, ServiceMonitor: &v1alpha1.Monitor{Labels: good},
			PrometheusRule: &v1alpha1.MonitoringRule{Labels: good},
		},
		"monitoring.podMonitor.labels: app.kubernetes.io/instance must not be set": {PodMonitor: &v1alpha1.Monitor{Labels: own}},
		`monitoring.serviceMonitor.labels: "re lease" is not a valid key`:          {ServiceMonitor: &v1alpha1.Monitor{Labels: wrong}},
		"monitoring.prometheusRule.labels: app.kubernetes.io/instance must not":    {PrometheusRule: &v1alpha1.MonitoringRule{Labels: own}},
	} {
		of := service(t, "minimal")
		of.Spec.Monitoring = monitoring
		switch err := render.CheckChildren(of); {
		case want == "" && len(err) > 0:
			t.Errorf("refused: %v", err)
		case want != "" && (len(err) != 1 || !strings.HasPrefix(err[0].Error(), want)):
			t.Errorf("%v, want %s", err, want)
		}
	}
}
