package operator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// release is what the operator of an older commit left in a cluster. .ci/record-release writes it.
type release struct {
	name string
	crd  []byte
	// objects are its namespace and everything in it.
	objects []*unstructured.Unstructured
	// served are the revisions that gateways serve, by the names of their pods.
	served map[string]string
	// contract are the types of the configs that its gateways read.
	contract contract
	// manifests are LLMServices that it accepted.
	manifests map[string][]byte
}

// releases are all that are recorded.
func releases(t *testing.T) []*release {
	t.Helper()
	dirs, err := filepath.Glob("testdata/releases/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("there are no releases: %v", err)
	}
	var all []*release
	for _, dir := range dirs {
		r := &release{name: filepath.Base(dir), crd: readFile(t, dir, "crd.yaml"), manifests: map[string][]byte{}}
		for name, into := range map[string]any{"served.json": &r.served, "contract.json": &r.contract} {
			if err := json.Unmarshal(readFile(t, dir, name), into); err != nil {
				t.Fatalf("%s/%s: %v", dir, name, err)
			}
		}
		r.objects = documentsOf(t, readFile(t, dir, "objects.yaml"))
		podsOfTemplates(r.objects)
		manifests, err := filepath.Glob(filepath.Join(dir, "manifests", "*.yaml"))
		if err != nil || len(manifests) == 0 {
			t.Fatalf("%s has no manifests: %v", dir, err)
		}
		for _, path := range manifests {
			r.manifests[filepath.Base(path)] = readFile(t, path)
		}
		all = append(all, r)
	}
	return all
}

// podsOfTemplates gives the pods what their Deployment's template says: where a release is recorded, there is no controller that does.
func podsOfTemplates(objects []*unstructured.Unstructured) {
	for _, pod := range objects {
		i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
			return o.GetKind() == "Deployment" && o.GetName() == pod.GetLabels()[render.LabelInstance]
		})
		if pod.GetKind() != "Pod" || i < 0 {
			continue
		}
		template, _, _ := unstructured.NestedMap(objects[i].Object, "spec", "template", "spec")
		if spec, ok := pod.Object["spec"].(map[string]any); ok {
			maps.Copy(spec, template) // the rest is what an API server adds
		}
	}
}

func readFile(t *testing.T, path ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// documentsOf are the objects of a file of YAML documents.
func documentsOf(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}

// restore puts the release's objects into the API server, of which they have their UIDs, and starts its gateways.
func (r *release) restore(t *testing.T) *system {
	t.Helper()
	namespace := r.objects[0].GetName()
	s := &system{t: t, namespace: namespace, fleet: newFleet(t, namespace)}
	for _, object := range r.objects {
		if err := server.Store(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.clear)
	for _, object := range r.objects {
		eventually(t, object.GetName(), func() error {
			stored := object.DeepCopy()
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
				return err
			}
			if stored.GetUID() != object.GetUID() {
				return fmt.Errorf("it has the UID %s, want %s", stored.GetUID(), object.GetUID())
			}
			return nil
		})
	}
	for pod, revision := range r.served {
		if slices.ContainsFunc(r.objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Pod" && o.GetName() == pod }) {
			s.fleet.adopt(pod, revision)
		}
	}
	return s
}

// adopt starts the gateway of a pod that is there.
func (f *fleet) adopt(pod, revision string) {
	g := &gateway{status: report.Status{Version: config.Version, Revision: revision, Source: delivery.CurrentKey}}
	g.server = httptest.NewServer(g)
	f.t.Cleanup(g.server.Close)
	f.t.Cleanup(func() { f.remove(pod) })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gateways[pod] = g
}

// services are the release's LLMServices, as they are now.
func (r *release) services(t *testing.T) map[string]*v1alpha1.LLMService {
	t.Helper()
	var list v1alpha1.LLMServiceList
	if err := api.List(t.Context(), &list, client.InNamespace(r.objects[0].GetName())); err != nil {
		t.Fatal(err)
	}
	services := map[string]*v1alpha1.LLMService{}
	for i := range list.Items {
		services[list.Items[i].Name] = &list.Items[i]
	}
	return services
}

// present are the release's objects as they are now, by kind and name.
func (r *release) present(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	objects := map[string]*unstructured.Unstructured{}
	for _, object := range r.objects[1:] {
		now := &unstructured.Unstructured{}
		now.SetGroupVersionKind(object.GroupVersionKind())
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), now); err != nil {
			t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
		objects[now.GetKind()+" "+now.GetName()] = now
	}
	return objects
}

// define has the API server serve a definition of LLMServices, marked by a column, and waits until it does.
func define(t *testing.T, text []byte, mark string) {
	t.Helper()
	var wanted map[string]any
	if err := yaml.Unmarshal(text, &wanted); err != nil {
		t.Fatal(err)
	}
	spec := wanted["spec"].(map[string]any)
	version := spec["versions"].([]any)[0].(map[string]any)
	columns, _ := version["additionalPrinterColumns"].([]any)
	version["additionalPrinterColumns"] = append(columns, map[string]any{"name": mark, "type": "string", "jsonPath": ".kind"})
	definition := &unstructured.Unstructured{}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	definition.SetName(v1alpha1.Resource + "." + v1alpha1.Group)
	edit(t, definition, func() { definition.Object["spec"] = spec })
	eventually(t, "the definition "+mark, func() error {
		columns, err := columnsOf(t)
		if err == nil && !slices.Contains(columns, mark) {
			err = fmt.Errorf("columns are %v", columns)
		}
		return err
	})
}

// columnsOf are the columns that kubectl shows of LLMServices.
func columnsOf(t *testing.T) ([]string, error) {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(restConfig)
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("%s/apis/%s/%s?limit=1", strings.TrimSuffix(restConfig.Host, "/"), v1alpha1.GroupVersion, v1alpha1.Resource)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
	response, err := httpClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var table metav1.Table
	if err := json.NewDecoder(response.Body).Decode(&table); err != nil {
		return nil, err
	}
	var names []string
	for _, column := range table.ColumnDefinitions {
		names = append(names, column.Name)
	}
	return names, nil
}

// contract are types: the members of each struct, each with its type, which is string, number, bool, any, []TYPE, map TYPE or the name
// of a struct.
type contract map[string]map[string]string

// reads says what of a config the gateways of the contract would refuse to decode.
func (c contract) reads(document []byte) error {
	var value any
	if err := json.Unmarshal(document, &value); err != nil {
		return err
	}
	return c.fits("config", value, "Config")
}

func (c contract) fits(path string, value any, of string) error {
	if item, ok := strings.CutPrefix(of, "[]"); ok {
		items, isList := value.([]any)
		if !isList && value != nil {
			return fmt.Errorf("%s is %T, want a list", path, value)
		}
		for i := range items {
			if err := c.fits(fmt.Sprintf("%s[%d]", path, i), items[i], item); err != nil {
				return err
			}
		}
		return nil
	}
	if strings.HasPrefix(of, "map ") || c[of] != nil {
		members, isObject := value.(map[string]any)
		if !isObject {
			return fmt.Errorf("%s is %T, want an object", path, value)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			inner, known := strings.CutPrefix(of, "map ")
			if !known {
				if inner, known = c[of][name]; !known {
					return fmt.Errorf("%s.%s is unknown", path, name)
				}
			}
			if err := c.fits(path+"."+name, members[name], inner); err != nil {
				return err
			}
		}
		return nil
	}
	fits := of == "any"
	switch value.(type) {
	case string:
		fits = fits || of == "string"
	case float64:
		fits = fits || of == "number"
	case bool:
		fits = fits || of == "bool"
	}
	if !fits {
		return fmt.Errorf("%s is %T, want %s", path, value, of)
	}
	return nil
}

// configsOf are the configs that are delivered to the release's services.
func configsOf(t *testing.T, r *release) map[string]*corev1.ConfigMap {
	t.Helper()
	configMaps := map[string]*corev1.ConfigMap{}
	for name := range r.services(t) {
		var delivered corev1.ConfigMap
		key := client.ObjectKey{Namespace: r.objects[0].GetName(), Name: delivery.ConfigMapName(name)}
		if exists(t, key, &delivered) {
			configMaps[name] = &delivered
		}
	}
	return configMaps
}

// manifestsOf are the LLMServices of the release's manifests, as the present definition reads them.
func (r *release) manifestsOf(t *testing.T) map[string]*v1alpha1.LLMService {
	t.Helper()
	services := map[string]*v1alpha1.LLMService{}
	for name, text := range r.manifests {
		service, err := manifest.Load(t.Context(), text)
		if err != nil {
			t.Errorf("this release refuses %s, which %s accepted: %v", name, r.name, err)
			continue
		}
		services[name] = service
	}
	return services
}
