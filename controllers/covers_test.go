package controllers

import (
	"testing"

	"sigs.k8s.io/yaml"
)

func TestCovers(t *testing.T) {
	tests := []struct {
		name, live, rendered string
		want                 bool
	}{
		{name: "equal", live: `{spec: {replicas: 2}}`, rendered: `{spec: {replicas: 2}}`, want: true},
		{name: "defaults belong to others", live: `{spec: {replicas: 2, paused: false}, status: {replicas: 2}}`, rendered: `{spec: {replicas: 2}}`, want: true},
		{name: "another value", live: `{spec: {replicas: 3}}`, rendered: `{spec: {replicas: 2}}`},
		{name: "missing field", live: `{spec: {}}`, rendered: `{spec: {replicas: 2}}`},
		{name: "missing object", live: `{}`, rendered: `{spec: {replicas: 2}}`},
		{name: "an empty object is as good as none", live: `{spec: {}}`, rendered: `{spec: {resources: {limits: {}}}}`, want: true},
		{name: "a boolean that is left out when false", live: `{spec: {}}`, rendered: `{spec: {paused: false}}`, want: true},
		{name: "a boolean that is not", live: `{spec: {paused: true}}`, rendered: `{spec: {paused: false}}`},
		{name: "a boolean whose default is another", live: `{spec: {}}`, rendered: `{spec: {automountServiceAccountToken: false}}`},
		{name: "an empty list is as good as none", live: `{spec: {}}`, rendered: `{spec: {args: []}}`, want: true},
		{name: "value of another type", live: `{spec: text}`, rendered: `{spec: {replicas: 2}}`},
		{name: "hash of a rendering with more fields", live: `{metadata: {annotations: {hash: old}}}`, rendered: `{metadata: {annotations: {hash: new}}}`},
		{name: "labels and annotations of others", live: `{metadata: {labels: {a: "1", b: "2"}, annotations: {revision: "4"}, uid: u}}`, rendered: `{metadata: {labels: {a: "1"}}}`, want: true},
		{name: "removed label", live: `{metadata: {labels: {b: "2"}}}`, rendered: `{metadata: {labels: {a: "1"}}}`},
		{name: "no metadata", live: `{}`, rendered: `{metadata: {labels: {a: "1"}}}`},
		{name: "owners of others", live: `{metadata: {ownerReferences: [{uid: x}, {uid: u, controller: true}]}}`, rendered: `{metadata: {ownerReferences: [{uid: u}]}}`, want: true},
		{name: "removed owner", live: `{metadata: {ownerReferences: [{uid: x}]}}`, rendered: `{metadata: {ownerReferences: [{uid: u}]}}`},
		{
			name: "keyed list in another order", want: true,
			live:     `{ports: [{name: admin, port: 2, protocol: TCP}, {name: http, port: 1, protocol: TCP}]}`,
			rendered: `{ports: [{name: http, port: 1}, {name: admin, port: 2}]}`,
		},
		{name: "item that was added by hand", live: `{containers: [{name: a}, {name: b}]}`, rendered: `{containers: [{name: a}]}`},
		{name: "item that was changed", live: `{containers: [{name: a, image: x}]}`, rendered: `{containers: [{name: a, image: y}]}`},
		{name: "item that was removed", live: `{containers: [{name: a}]}`, rendered: `{containers: [{name: a}, {name: b}]}`},
		{name: "one live item covers one rendered item", live: `{mounts: [{path: a}, {path: b}]}`, rendered: `{mounts: [{path: a}, {path: a}]}`},
		{name: "values in order", live: `{args: [x, y]}`, rendered: `{args: [x, y]}`, want: true},
		{name: "values in another order", live: `{args: [y, x]}`, rendered: `{args: [x, y]}`},
		{name: "value that was added", live: `{args: [x, y]}`, rendered: `{args: [x]}`},
		{name: "selector", live: `{spec: {selector: {a: "1"}}}`, rendered: `{spec: {selector: {a: "1"}}}`, want: true},
		{name: "a key added to a selector selects something else", live: `{spec: {selector: {a: "1", b: "2"}}}`, rendered: `{spec: {selector: {a: "1"}}}`},
		{name: "a label added to a label selector of another name", live: `{spec: {podSelector: {matchLabels: {a: "1", b: "2"}}}}`, rendered: `{spec: {podSelector: {matchLabels: {a: "1"}}}}`},
		{name: "a label added to a label selector", live: `{spec: {selector: {matchLabels: {a: "1", b: "2"}}}}`, rendered: `{spec: {selector: {matchLabels: {a: "1"}}}}`},
		{
			name: "a selector added to a peer", live: `{spec: {ingress: [{from: [{podSelector: {}, namespaceSelector: {}}]}]}}`,
			rendered: `{spec: {ingress: [{from: [{podSelector: {}}]}]}}`,
		},
		{
			name: "peers as they are", want: true, live: `{spec: {egress: [{to: [{podSelector: {}}]}, {ports: [{port: 53}]}]}}`,
			rendered: `{spec: {egress: [{to: [{podSelector: {}}]}, {ports: [{port: 53}]}]}}`,
		},
		{name: "string and number", live: `{port: "80"}`, rendered: `{port: 80}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := covers(object(t, tt.live), object(t, tt.rendered)); got != tt.want {
				t.Errorf("covers(%s, %s) = %v", tt.live, tt.rendered, got)
			}
		})
	}
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var decoded map[string]any
	if err := yaml.Unmarshal([]byte(text), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}
