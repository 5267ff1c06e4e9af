package docs_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	managermetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/config/crd"
	_ "github.com/llmservice/llmservice/controllers" // its metrics
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/runtime/metrics"
)

const (
	install      = "docs/install.md"
	observe      = "docs/observe.md"
	troubleshoot = "docs/troubleshoot.md"
)

// TestMetrics compares names, types and labels with those that both programs register.
func TestMetrics(t *testing.T) {
	want := map[string]string{}
	gateway := metrics.New(metrics.Load{}).Registry
	manager, ok := managermetrics.Registry.(prometheus.Collector)
	if !ok {
		t.Fatal("controller-runtime's registry does not describe what it has")
	}
	for _, of := range []prometheus.Collector{gateway, manager} {
		describe(of, want)
	}
	got := map[string]string{}
	for _, row := range table(t, observe, "metric", "type", "labels") {
		got[codes(row[0])[0]] = strings.Join(codes(row[2]), ",")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-code +page):\n%s", observe, diff)
	}
}

var described = regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)

// describe adds the labels of this project's metrics.
func describe(of prometheus.Collector, into map[string]string) {
	all := map[string]string{}
	describeAll(of, all)
	for name, labels := range all {
		if strings.HasPrefix(name, "llmservice_") {
			into[name] = labels
		}
	}
}

func describeAll(of prometheus.Collector, into map[string]string) {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		of.Describe(descriptions)
	}()
	for d := range descriptions {
		if m := described.FindStringSubmatch(d.String()); m != nil {
			into[m[1]] = m[2]
		}
	}
}

// TestFailureLabels compares the values of the label failure.
func TestFailureLabels(t *testing.T) {
	want := valuesOf(t, "runtime/relay", "FailureKind")
	want[slices.Index(want, "")] = "none"
	same(t, observe, want, codes(between(t, read(t, observe), "`failure` is one of ", ".\n\n`superseded` is")))
}

// TestConditions compares the conditions and their reasons with the API's, each reason with the condition that it is of.
func TestConditions(t *testing.T) {
	conditions, reasons := namesOf(t, "api/v1alpha1", "Condition"), namesOf(t, "api/v1alpha1", "Reason")
	var shown, given []string
	for _, row := range table(t, observe, "condition", "reason", "status") {
		shown = append(shown, codes(row[0])...)
		given = append(given, codes(row[1])...)
	}
	same(t, observe, conditions, shown)
	same(t, observe, reasons, given)
}

// TestConditionsAreWanted: each status and reason of a condition that the page has is what a test of the operator wants.
func TestConditionsAreWanted(t *testing.T) {
	tests := operatorsTests(t)
	for _, row := range table(t, observe, "condition", "reason", "status") {
		for _, reason := range codes(row[1]) {
			condition, value := codes(row[0])[0], row[2]+"/"+reason
			inList := regexp.MustCompile(`\b` + condition + "=" + value + `\b`)
			inCall := regexp.MustCompile(`Condition` + condition + `, "` + value + `"`)
			if !inList.MatchString(tests) && !inCall.MatchString(tests) {
				t.Errorf("no test wants %s=%s", condition, value)
			}
		}
	}
}

// TestEventsAreWanted: each reason of an event is in a test of the operator.
func TestEventsAreWanted(t *testing.T) {
	tests := operatorsTests(t)
	for _, row := range table(t, observe, "type", "reason", "when") {
		for _, reason := range codes(row[1]) {
			if !strings.Contains(tests, `awaitEvent(service, "`+reason+`")`) && !strings.Contains(tests, "controllers.Event"+reason) {
				t.Errorf("no test wants an event %s", reason)
			}
		}
	}
}

// operatorsTests is the text of the operator's tests.
func operatorsTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"controllers/*_test.go", "test/operator/*_test.go"} {
		for _, text := range matching(t, pattern) {
			all.WriteString(text)
		}
	}
	return all.String()
}

// TestEvents compares the reasons of events.
func TestEvents(t *testing.T) {
	var listed []string
	for _, row := range table(t, observe, "type", "reason", "when") {
		listed = append(listed, codes(row[1])...)
	}
	same(t, observe, namesOf(t, "controllers", "Event"), listed)
}

// TestReasonsOfCuts compares the reasons of status.streams.lastCut.
func TestReasonsOfCuts(t *testing.T) {
	var listed []string
	for _, row := range table(t, observe, "reason", "what happened to the gateway") {
		listed = append(listed, codes(row[0])...)
	}
	same(t, observe, namesOf(t, "controllers/load", "Reason"), listed)
}

// flag is the declaration of one: its name, and its default if it has a value.
var flag = regexp.MustCompile(`set\.(?:\w*Var|Func)\([^"\n]*"([a-z-]+)", (?:(.+?),(?: "|\n)|)`)

// defaults are those of flags that stand in the code as more than a literal.
var defaults = map[string]string{
	`fmt.Sprintf(":%d", delivery.Port)`:      fmt.Sprintf(":%d", delivery.Port),
	`fmt.Sprintf(":%d", delivery.AdminPort)`: fmt.Sprintf(":%d", delivery.AdminPort),
	"report.TerminationLog":                  report.TerminationLog,
	"delivery.Dir":                           delivery.Dir,
	"delivery.SecretsDir":                    delivery.SecretsDir,
	"delivery.DrainDelay":                    delivery.DrainDelay.String(),
	"gateway.DefaultEngine":                  string(gateway.DefaultEngine),
	"gateway.DefaultUpstreamClient":          string(gateway.DefaultUpstreamClient),
	`egress.Server("")`:                      "",
	`egress.Exceptions("")`:                  "",
	"5*time.Minute":                          "5m",
	"slog.LevelInfo":                         "info",
}

// TestFlags compares the flags of both programs, and their defaults. What the page says in words stands for none.
func TestFlags(t *testing.T) {
	for program, head := range map[string]string{"gateway": "flag of the gateway", "manager": "flag of the manager"} {
		want, listed := map[string]string{}, map[string]string{}
		for _, m := range flag.FindAllStringSubmatch(read(t, "cmd/"+program+"/main.go"), -1) {
			value, known := defaults[m[2]]
			if !known {
				value = strings.Trim(m[2], `"`)
			}
			want["--"+m[1]] = value
		}
		for _, row := range table(t, install, head) {
			listed[codes(row[0])[0]] = strings.Join(codes(row[1]), "")
		}
		if diff := cmp.Diff(want, listed); diff != "" {
			t.Errorf("%s of %s (-code +page):\n%s", head, install, diff)
		}
	}
}

// TestAdminPaths compares the paths of the admin listener.
func TestAdminPaths(t *testing.T) {
	var listed []string
	for _, row := range table(t, observe, "path", "answer") {
		listed = append(listed, codes(row[0])...)
	}
	same(t, observe, adminPaths(), listed)
}

// TestPrinterColumns compares what kubectl shows with what the page says it does.
func TestPrinterColumns(t *testing.T) {
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(crd.LLMServices, &definition); err != nil {
		t.Fatal(err)
	}
	var plain, wide []string
	for _, column := range definition.Spec.Versions[0].AdditionalPrinterColumns {
		if column.Priority == 0 {
			plain = append(plain, column.Name)
		} else {
			wide = append(wide, column.Name)
		}
	}
	words := regexp.MustCompile(`\s+`).ReplaceAllString(read(t, observe), " ")
	want := fmt.Sprintf("kubectl get %s # %s; -o wide adds %s ",
		definition.Spec.Names.ShortNames[0], strings.Join(plain, ", "), strings.Join(wide, " and "))
	if !strings.Contains(words, want) {
		t.Errorf("%s does not say %q", observe, want)
	}
}

// TestPagesSayWhatOneUnreadMetricDoes: an autoscaler that cannot read one of its metrics adds replicas and never removes any. Each
// place that advises to leave the metrics API to somebody else says so.
func TestPagesSayWhatOneUnreadMetricDoes(t *testing.T) {
	for _, page := range []string{
		"docs/scaling.md", "charts/llmservice/templates/NOTES.txt", "charts/llmservice/values.yaml", "charts/llmservice/README.md",
	} {
		if text := strings.Join(strings.Fields(read(t, page)), " "); !regexp.MustCompile(`scales? up but never down`).MatchString(text) {
			t.Errorf("%s does not say that a service with another metric never scales down", page)
		}
	}
}

// TestFiguresOfTheOperator: what the pages say in figures is what the code says. Each figure stands between the words around it, so
// that a change of either side is noticed here.
func TestFiguresOfTheOperator(t *testing.T) {
	const scaling = "docs/scaling.md"
	for _, figure := range []struct{ page, says, file, code string }{
		{observe, "the message names up to 8 fields", "controllers/config.go", "maxFieldErrors = 8\n"},
		{observe, "has more than 450 KiB", "runtime/config/load.go", "MaxBytes = 450 << 10\n"},
		{observe, "takes more than 10 s to compile", "controllers/compiles.go", "compileDeadline = 10 * time.Second\n"},
		{observe, "has not accepted it for 5 s", "runtime/upstream/refusal.go", "refusedFor = 5 * time.Second\n"},
		{observe, "made no progress for 5 minutes", "controllers/render/deployment.go", "progressDeadlineSeconds = 300\n"},
		{observe, "Every 2 minutes the operator looks", "controllers/rewriting.go", "overrideRecheck = 2 * time.Minute\n"},
		{observe, "It is written at most once a minute", "controllers/status.go", "cutInterval = time.Minute\n"},
		{install, "takes over one minute after the last", "controllers/claim/claim.go", "Expiry = time.Minute\n"},
		{observe, "Each manager polls each gateway once a second", "controllers/load/schedule.go", "interval = time.Second\n"},
		{observe, "does not answer within 250 ms", "controllers/load/schedule.go", "quickLane = lane{slots: 256, timeout: 250 * time.Millisecond}"},
		{observe, "with 800 ms to answer", "controllers/load/schedule.go", "slowLane = lane{slow: true, slots: 256, timeout: 800 * time.Millisecond}"},
		{observe, "and at least every 5 s\nwhile it fails", "controllers/load/schedule.go", "maxPause = 5 * time.Second\n"},
		{observe, "when the problem changes and then once a minute", "runtime/gateway/watch.go", "sayAgain = time.Minute\n"},
		{observe, "and also reads it\nevery 10s", "runtime/gateway/watch.go", "reread = 10 * time.Second\n"},
		{observe, "it reads it every 2s", "runtime/gateway/watch.go", "unwatched = 2 * time.Second\n"},
		{scaling, "The operator polls each gateway every second", "controllers/load/schedule.go", "interval = time.Second\n"},
		{scaling, "a reading is valid for 10s", "controllers/load/serviceload.go", "Fresh = 10 * time.Second\n"},
	} {
		if !strings.Contains(read(t, figure.page), figure.says) {
			t.Errorf("%s does not say %q", figure.page, figure.says)
		}
		if code := regexp.MustCompile(`  +`).ReplaceAllString(read(t, figure.file), " "); !strings.Contains(code, figure.code) {
			t.Errorf("%s says %q, and %s not %q", figure.page, figure.says, figure.file, figure.code)
		}
	}
}
