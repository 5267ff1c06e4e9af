package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// end is how a run ended: what there is, and what it took.
type end struct {
	objects map[string]string
	// changes counts by kind the writes that changed something, writes all that the operators tried.
	changes map[string]int
	writes  int
	hasty   bool
}

func (r *run) result() end {
	r.mu.Lock()
	defer r.mu.Unlock()
	objects := map[string]string{}
	for _, kind := range childKinds {
		children, err := r.list(context.Background(), kind)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, child := range children {
			objects[kind+" "+child.GetName()] = r.normal(child)
		}
	}
	services := r.services()
	for i := range services {
		objects["LLMService "+services[i].Name] = r.normal(&services[i])
		latest := regexp.MustCompile(fmt.Sprintf(`(observedGeneration": |\\"generation\\":)%d\b`, services[i].Generation))
		for _, object := range []string{"LLMService " + services[i].Name, "ConfigMap " + delivery.ConfigMapName(services[i].Name)} {
			// How many there were depends on what autoscalers did.
			objects[object] = latest.ReplaceAllString(objects[object], "${1}LATEST")
		}
	}
	r.nameRevisions(objects)
	r.state.Lock()
	defer r.state.Unlock()
	return end{objects: objects, changes: r.rules.changes, writes: len(r.writes), hasty: r.hasty}
}

// nameRevisions replaces revisions, which contain the namespace, by what they are.
func (r *run) nameRevisions(objects map[string]string) {
	c, err := r.observe(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, documents := range c.documents {
		for key, document := range documents.Data {
			for object := range objects {
				objects[object] = strings.ReplaceAll(objects[object], delivery.Revision([]byte(document)), "REVISION-OF-"+documents.Name+"-"+key)
			}
		}
	}
}

var times = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*"`)

// normal is what an object says, without what differs from run to run.
func (r *run) normal(object client.Object) string {
	owner := metav1.GetControllerOf(object)
	encoded, err := json.Marshal(object)
	if err != nil {
		r.t.Fatal(err)
	}
	var content map[string]any
	if err := json.Unmarshal(encoded, &content); err != nil {
		r.t.Fatal(err)
	}
	metadata, _ := content["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	delete(annotations, render.AppliedHashAnnotation) // of the owner's UID, too
	content["metadata"] = map[string]any{
		"labels": metadata["labels"], "annotations": annotations, "ownerReferences": metadata["ownerReferences"],
	}
	if owner != nil {
		delete(content, "status")
	}
	if spec, ok := content["spec"].(map[string]any); ok {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	text, err := json.MarshalIndent(content, "", " ")
	if err != nil {
		r.t.Fatal(err)
	}
	result := strings.ReplaceAll(string(text), r.namespace, "NAMESPACE")
	result = strings.ReplaceAll(result, string(object.GetUID()), "UID")
	if owner != nil {
		result = strings.ReplaceAll(result, string(owner.UID), "OWNER")
	}
	return times.ReplaceAllString(result, `"TIME"`)
}

var lastGood = regexp.MustCompile(`(?m)^ *"` + delivery.LastGoodKey + `":.*\n|\\"lastGood\\":\\"[^"]*\\",|,\n( *"` + delivery.LastGoodKey + `":[^\n]*)`)

// lastGoodless leaves out what depends on what gateways had the time to serve.
func lastGoodless(objects map[string]string) map[string]string {
	result := map[string]string{}
	for key, text := range objects {
		result[key] = lastGood.ReplaceAllString(text, "")
	}
	return result
}

func (e end) String() string { return fmt.Sprintf("%d writes, changes %v", e.writes, e.changes) }
