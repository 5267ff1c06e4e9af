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
	"github.com/llmservice/llmservice/runtime/metrics"
)

const operations = "docs/operations.md"

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
	for _, row := range table(t, operations, "metric", "type", "labels") {
		got[codes(row[0])[0]] = strings.Join(codes(row[2]), ",")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-code +page):\n%s", operations, diff)
	}
}

var described = regexp.MustCompile(`fqName: "(llmservice_\w+)".*variableLabels: \{([^}]*)\}`)

func describe(of prometheus.Collector, into map[string]string) {
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
	same(t, operations, want, codes(between(t, read(t, operations), "`failure` is one of ", ".\n\n`superseded` is")))
}

// TestConditions compares the conditions and their reasons with the API's, each reason with the condition that it is of.
func TestConditions(t *testing.T) {
	conditions, reasons := namesOf(t, "api/v1alpha1", "Condition"), namesOf(t, "api/v1alpha1", "Reason")
	var shown, given []string
	for _, row := range table(t, operations, "condition", "reason", "status") {
		shown = append(shown, codes(row[0])...)
		given = append(given, codes(row[1])...)
	}
	same(t, operations, conditions, shown)
	same(t, operations, reasons, given)
}

// TestEvents compares the reasons of events.
func TestEvents(t *testing.T) {
	var listed []string
	for _, row := range table(t, operations, "type", "reason", "when") {
		listed = append(listed, codes(row[1])...)
	}
	same(t, operations, namesOf(t, "controllers", "Event"), listed)
}

// TestReasonsOfCuts compares the reasons of status.streams.lastCut.
func TestReasonsOfCuts(t *testing.T) {
	var listed []string
	for _, row := range table(t, operations, "reason", "what happened to the gateway") {
		listed = append(listed, codes(row[0])...)
	}
	same(t, operations, namesOf(t, "controllers/load", "Reason"), listed)
}

var flag = regexp.MustCompile(`set\.(?:\w*Var|Func)\([^"]*"([a-z-]+)"`)

// TestFlags compares the flags of both programs.
func TestFlags(t *testing.T) {
	for program, head := range map[string]string{"gateway": "flag of the gateway", "manager": "flag of the manager"} {
		var want, listed []string
		for _, m := range flag.FindAllStringSubmatch(read(t, "cmd/"+program+"/main.go"), -1) {
			want = append(want, "--"+m[1])
		}
		for _, row := range table(t, operations, head) {
			listed = append(listed, codes(row[0])...)
		}
		same(t, operations, want, listed)
	}
}

// TestAdminPaths compares the paths of the admin listener.
func TestAdminPaths(t *testing.T) {
	var listed []string
	for _, row := range table(t, operations, "path", "answer") {
		listed = append(listed, codes(row[0])...)
	}
	same(t, operations, adminPaths(), listed)
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
	words := regexp.MustCompile(`\s+`).ReplaceAllString(read(t, operations), " ")
	want := fmt.Sprintf("kubectl get %s # %s; -o wide adds %s ",
		definition.Spec.Names.ShortNames[0], strings.Join(plain, ", "), strings.Join(wide, " and "))
	if !strings.Contains(words, want) {
		t.Errorf("%s does not say %q", operations, want)
	}
}
