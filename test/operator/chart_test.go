package operator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/test/apiserver"
)

const chart = "../../charts/llmservice"

// Each value of the chart, set to something else than its default, is found in what Helm renders, and a manager starts
// with the flags that come of it. Those with several choices stand with each.
func TestEachValueOfTheChart(t *testing.T) {
	tests := []struct {
		value string
		// set is JSON; want is a part of what is rendered then, and was not before. Empty want says that something is gone.
		set, want string
	}{
		{"nameOverride", `"other"`, "app.kubernetes.io/name: other"},
		{"fullnameOverride", `"other"`, "name: other-manager"},
		{"imageRegistry", `"mirror.example.com"`, "--gateway-image=mirror.example.com/llmservice/gateway:"},
		{"imagePullSecrets", `[{"name":"mirror"}]`, "- name: mirror"},
		{"crds.install", `false`, ""},
		{"watchNamespaces", `["default"]`, "--watch-namespaces=default"},
		{"watchNamespaces", `["default"],metricsAPI.enabled=true`, "--watch-namespaces=default"},
		{"claimNamespace", `"` + apiserver.Namespace + `"`, "--claim-namespace=" + apiserver.Namespace},
		{"monitoringNamespaces", `["prometheus"]`, "--monitoring-namespace=prometheus"},
		{"prometheus.podMonitors", `true`, "kind: PodMonitor"},
		{"prometheus.alerts", `true`, "alert: LLMServiceOperatorDown"},
		{"prometheus.labels", `{"release":"stack"},prometheus.alerts=true`, "release: stack"},
		{"dashboards.enabled", `true`, "llmservice-dashboard-services"},
		{"dashboards.labels", `{"dashboards":"yes"},dashboards.enabled=true`, "dashboards: \"yes\""},
		{"dashboards.annotations", `{"grafana_folder":"LLM"},dashboards.enabled=true`, "grafana_folder: LLM"},
		{"dashboards.namespace", `"grafana",dashboards.enabled=true`, "namespace: grafana"},
		{"networkPolicy.enabled", `true`, "kind: NetworkPolicy"},
		{"networkPolicy.apiServer.networks", `["10.96.0.1/32"],networkPolicy.enabled=true`, `cidr: "10.96.0.1/32"`},
		{"networkPolicy.apiServer.ports", `[16443],networkPolicy.enabled=true`, "port: 16443"},
		{"manager.replicas", `3`, "replicas: 3"},
		{"manager.image.repository", `"mirror/manager"`, "image: mirror/manager:"},
		{"manager.image.tag", `"v9"`, "manager:v9"},
		{"manager.image.pullPolicy", `"Always"`, "imagePullPolicy: Always"},
		{"manager.image.pullPolicy", `"Never"`, "imagePullPolicy: Never"},
		{"manager.logLevel", `"debug"`, "- --log-level=debug"},
		{"manager.logLevel", `"warn"`, "- --log-level=warn"},
		{"manager.logLevel", `"error"`, "- --log-level=error"},
		{"manager.maxConcurrentRollouts", `3`, "--max-concurrent-rollouts=3"},
		{"manager.resources", `{"limits":{"memory":"1Gi"}}`, "memory: 1Gi"},
		{"manager.extraArgs", `["--allowed-gateway-image=mirror/more"]`, "- --allowed-gateway-image=mirror/more"},
		{"manager.extraEnv", `[{"name":"TZ","value":"UTC"}]`, "name: TZ"},
		{"manager.hostNetwork", `true`, "hostNetwork: true"},
		{"manager.secureMetrics", `true`, "- --secure-metrics"},
		{"prometheus.token", `{"name":"prom","key":"token"},prometheus.podMonitors=true,manager.secureMetrics=true`, `credentials: {"key":"token","name":"prom"}`},
		{"manager.ports.metrics", `18080`, "--metrics-bind-address=:18080"},
		{"manager.ports.health", `18081`, "--health-probe-bind-address=:18081"},
		{"manager.podSecurityContext", `{"fsGroup":7}`, "fsGroup: 7"},
		{"manager.securityContext", `{"privileged":false}`, "privileged: false"},
		{"manager.podAnnotations", `{"a":"b"}`, "a: b"},
		{"manager.podLabels", `{"c":"d"}`, "c: d"},
		{"manager.priorityClassName", `"high"`, "priorityClassName: high"},
		{"manager.nodeSelector", `{"disk":"ssd"}`, "disk: ssd"},
		{"manager.tolerations", `[{"key":"managers-only"}]`, "key: managers-only"},
		{"manager.affinity", `{"nodeAffinity":{}}`, "nodeAffinity: {}"},
		{"gateway.image.repository", `"mirror/gateway"`, "--gateway-image=mirror/gateway:"},
		{"gateway.image.tag", `"sha256:` + strings.Repeat("a", 64) + `"`, "gateway@sha256:aaaa"},
		{"gateway.image.tag", `"v9"`, "gateway:v9"},
		{"gateway.image.pullPolicy", `"Always"`, "--gateway-pull-policy=Always"},
		{"gateway.image.pullPolicy", `"Never"`, "--gateway-pull-policy=Never"},
		{"gateway.imagePullSecrets", `[{"name":"gateways"}]`, "--gateway-image-pull-secret=gateways"},
		{"gateway.allowedImages", `["mirror:5000/gateway","mirror/team-a/*"]`, "--allowed-gateway-image=mirror/team-a/*"},
		{"gateway.allowedHosts", `["*.svc","api.example.com","::1"]`, "--allowed-upstream-host=*.svc"},
		{"gateway.allowedAddresses", `["10.0.0.0/8","fd00::/8"]`, "--gateway-allowed-address=fd00::/8"},
		{"gateway.deniedAddresses", `["127.0.0.0/8"]`, "--gateway-denied-address=127.0.0.0/8"},
		{"gateway.httpsProxy", `"http://proxy:3128"`, "--gateway-https-proxy=http://proxy:3128\n        - --gateway-no-proxy=.svc,.cluster.local"},
		{"gateway.noProxy", `["a.example.com","10.0.0.0/8"],gateway.httpsProxy="http://proxy"`, "--gateway-no-proxy=a.example.com,10.0.0.0/8"},
		{"gateway.logLevel", `"debug"`, "--gateway-log-level=debug"},
		{"gateway.logLevel", `"warn"`, "--gateway-log-level=warn"},
		{"gateway.logLevel", `"error"`, "--gateway-log-level=error"},
		{"metricsAPI.enabled", `false`, "--custom-metrics-port=0"},
		{"metricsAPI.port", `16443`, "--custom-metrics-port=16443"},
		{"webhook.enabled", `true`, "--webhook-service=llmservice-webhook"},
		{"webhook.port", `19443,webhook.enabled=true`, "--webhook-port=19443"},
		{"webhook.failurePolicy", `"Fail",webhook.enabled=true`, "failurePolicy: Fail\n  timeoutSeconds"},
		{"webhook.timeoutSeconds", `9,webhook.enabled=true`, "timeoutSeconds: 9"},
		{"webhook.namespaceSelector", `{"matchLabels":{"llm":"j"}},webhook.enabled=true`, "llm: j"},
		{"webhook.objectSelector", `{"matchLabels":{"llm":"k"}},webhook.enabled=true`, "llm: k"},
		{"serviceAccount.annotations", `{"h":"i"}`, "h: i"},
		{"rbac.aggregateToDefaultRoles", `false`, ""},
		{"rbac.userRoles", `false`, ""},
		{"rbac.limitPodPatches", `false`, ""},
	}
	plain := helmTemplate(t)
	started := map[string]bool{}
	var rows []string
	for _, tt := range tests {
		rows = append(rows, tt.value)
		t.Run(tt.value+" "+tt.set, func(t *testing.T) {
			rendered := helmTemplate(t, "--set-json", tt.value+"="+tt.set)
			if tt.want == "" && len(rendered) >= len(plain) || strings.Contains(plain, tt.want) == (tt.want != "") || !strings.Contains(rendered, tt.want) {
				t.Fatalf("%q makes no difference, or is there in any case", tt.want)
			}
			args := argsOf(t, rendered)
			if key := strings.Join(args, " "); !started[key] {
				started[key] = true
				startChart(t, args, rendered)
			}
		})
	}
	for _, value := range valuesOf(t) {
		if !slices.Contains(rows, value) {
			t.Errorf("%s has no row: nobody has started a manager with it", value)
		}
	}
	if len(started) < 10 {
		t.Errorf("managers were started with %v only", slices.Sorted(maps.Keys(started)))
	}
}

// startChart runs a manager with the arguments of its Deployment, beside its APIServices, until it is ready.
func startChart(t *testing.T, args []string, rendered string) {
	t.Helper()
	p := startProcess(t, args...)
	for document := range strings.SplitSeq(rendered, "\n---") {
		var registration apiregistrationv1.APIService
		if err := sigsyaml.Unmarshal([]byte(document), &registration); err != nil {
			t.Fatal(err)
		}
		if registration.Kind == "APIService" {
			p.register(apiserver.Namespace, registration.Spec.Service.Name, int32(p.metricsAPI))
			break // it registers all of them
		}
	}
	p.awaitReady()
}

// helmTemplate is what Helm makes of the chart.
func helmTemplate(t *testing.T, args ...string) string {
	t.Helper()
	assets, err := apiserver.Assets()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(assets, "helm"),
		append([]string{"template", "llmservice", chart, "--namespace", apiserver.Namespace}, args...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("helm %v: %v: %s", args, err, stderr.Bytes())
	}
	return string(output)
}

// argsOf are the manager's in its Deployment.
func argsOf(t *testing.T, rendered string) []string {
	t.Helper()
	for document := range strings.SplitSeq(rendered, "\n---") {
		var deployment appsv1.Deployment
		if err := sigsyaml.Unmarshal([]byte(document), &deployment); err == nil && deployment.Kind == "Deployment" {
			return deployment.Spec.Template.Spec.Containers[0].Args
		}
	}
	t.Fatal("there is no Deployment")
	return nil
}

// valuesOf are the paths of the chart's values. A map or a list whose members the chart does not know is one value.
func valuesOf(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := sigsyaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	encoded, err := os.ReadFile(filepath.Join(chart, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(encoded, &schema); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(path string, value any, schema map[string]any)
	walk = func(path string, value any, schema map[string]any) {
		members, isMap := value.(map[string]any)
		properties, known := schema["properties"].(map[string]any)
		if !isMap || !known {
			found = append(found, strings.TrimPrefix(path, "."))
			return
		}
		for name, member := range members {
			inner, ok := properties[name].(map[string]any)
			if !ok {
				t.Errorf("values.schema.json has no %s.%s", path, name)
			}
			walk(fmt.Sprintf("%s.%s", path, name), member, inner)
		}
	}
	walk("", values, schema)
	slices.Sort(found)
	return found
}
