package docs_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
)

const quickStart = "docs/quick-start.md"

// images are those that `make images` builds, by the names of their archives.
func images(t *testing.T) map[string]any {
	t.Helper()
	makefile := read(t, "Makefile")
	list := regexp.MustCompile(`(?m)^IMAGES := (.*)$`).FindStringSubmatch(makefile)
	tag := regexp.MustCompile(`(?m)^TAG \?= (.*)$`).FindStringSubmatch(makefile)
	if list == nil || tag == nil {
		t.Fatal("the Makefile names no images, or no tag")
	}
	built := map[string]any{}
	for path := range strings.FieldsSeq(list[1]) {
		name := path[strings.LastIndex(path, "/")+1:]
		built["build/images/"+name+".tar"] = "llmservice/" + name + ":" + tag[1]
	}
	return built
}

// TestQuickStartLoadsWhatItBuilds: the archives that the page loads are built, and what it runs is in them.
func TestQuickStartLoadsWhatItBuilds(t *testing.T) {
	page, built := read(t, quickStart), images(t)
	loop := regexp.MustCompile(`for i in ([a-z ]+); do kind load image-archive (\S+)\$i(\S+);`).FindStringSubmatch(page)
	k3d := regexp.MustCompile(`k3d image import (.*)`).FindStringSubmatch(page)
	if loop == nil || k3d == nil {
		t.Fatalf("%s does not load images into kind and k3d", quickStart)
	}
	var kind []string
	for name := range strings.FieldsSeq(loop[1]) {
		kind = append(kind, loop[2]+name+loop[3])
	}
	same(t, quickStart, keys(built), kind)
	same(t, quickStart, keys(built), strings.Fields(k3d[1]))

	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(read(t, "charts/llmservice/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	var run []string
	for _, program := range []string{"manager", "gateway"} {
		image := map[string]string{}
		for _, m := range regexp.MustCompile(`--set `+program+`\.image\.(\w+)=(\S+)`).FindAllStringSubmatch(page, -1) {
			image[m[1]] = m[2]
			if defined, _ := values[program].(map[string]any)["image"].(map[string]any); defined[m[1]] == nil {
				t.Errorf("the chart has no value %s.image.%s", program, m[1])
			}
		}
		run = append(run, image["repository"]+":"+image["tag"])
	}
	run = append(run, regexp.MustCompile(`--image (\S+)`).FindStringSubmatch(page)[1])
	var names []string
	for _, image := range built {
		names = append(names, image.(string))
	}
	same(t, quickStart, names, run)
}

// TestQuickStartLeadsToItsModel: the scripted model is where the sample looks for one, and the client asks for a model that it has.
func TestQuickStartLeadsToItsModel(t *testing.T) {
	page := read(t, quickStart)
	model := regexp.MustCompile(`kubectl run (\S+) --namespace (\S+) --image \S+ --port (\d+) --expose -- --listen=:(\d+)\n`).FindStringSubmatch(page)
	applied := regexp.MustCompile(`kubectl apply --server-side -f (\S+)`).FindStringSubmatch(page)
	if model == nil || applied == nil {
		t.Fatalf("%s runs no model, or applies nothing", quickStart)
	}
	if model[3] != model[4] || !strings.Contains(page, "kubectl create namespace "+model[2]+"\n") {
		t.Errorf("the model listens on %s, its Service leads to %s in the namespace %s", model[4], model[3], model[2])
	}
	service, err := manifest.Load(t.Context(), []byte(read(t, applied[1])))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := service.Spec.Upstreams[0].Endpoints[0].URL, fmt.Sprintf("http://%s.%s.svc:%s/v1", model[1], model[2], model[3]); got != want {
		t.Errorf("%s calls %s, and the model is at %s", applied[1], got, want)
	}
	asked := regexp.MustCompile(`"model": "(\S+)"`).FindStringSubmatch(page)[1]
	if !slices.ContainsFunc(service.Spec.Models, func(m v1alpha1.Model) bool { return m.Name == asked }) {
		t.Errorf("the client asks for %s, which %s does not have", asked, applied[1])
	}
	for _, name := range []string{"kubectl wait llms/" + service.Name + " ", "service/" + service.Name + " "} {
		if !strings.Contains(page, name) {
			t.Errorf("%s does not say %q", quickStart, name)
		}
	}
}
