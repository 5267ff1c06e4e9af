package api

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhatAServiceCannotChange: Kubernetes would refuse the Service, so the change is refused where it is written. An empty want says that
// the API accepts it; each edit is of what the one before left.
func TestWhatAServiceCannotChange(t *testing.T) {
	object := everyField(t)
	object.SetName("immutable")
	delete(object.Object, "status")
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	const service = "spec.exposure.service."
	for _, tt := range serviceChanges {
		edited := object.DeepCopy()
		for field, value := range tt.set {
			put(edited, service+field, value)
		}
		err := api.Update(t.Context(), edited)
		switch {
		case tt.want == "" && err == nil:
			object = edited
		case tt.want == "" || !strings.Contains(fmt.Sprint(err), tt.want):
			t.Errorf("%v: got %v, want %q", tt.set, err, tt.want)
		}
	}
}

var serviceChanges = []struct {
	set  map[string]any
	want string
}{
	{map[string]any{"loadBalancerClass": "example.com/other"}, "loadBalancerClass cannot change while type is LoadBalancer"},
	{map[string]any{"loadBalancerClass": missing}, "loadBalancerClass cannot change while type is LoadBalancer"},
	{map[string]any{"ipFamilies": []any{"IPv6"}}, "the first of ipFamilies cannot change"},
	{map[string]any{"ipFamilies": []any{"IPv4", "IPv6"}, "ipFamilyPolicy": "PreferDualStack"}, ""},
	{map[string]any{"type": "NodePort", "loadBalancerClass": missing}, ""},
	{map[string]any{"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}, ""},
}
