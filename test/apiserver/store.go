package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// etcdPaths are where the API server keeps the objects of a kind, below /registry.
var etcdPaths = map[string]string{
	"Namespace": "namespaces", "ServiceAccount": "serviceaccounts", "ConfigMap": "configmaps", "Service": "services/specs",
	"Pod": "pods", "Deployment": "deployments", "PodDisruptionBudget": "poddisruptionbudgets",
	"NetworkPolicy":           "networkpolicies",
	"HorizontalPodAutoscaler": "horizontalpodautoscalers", "LLMService": "serving.llmservice.dev/llmservices",
}

// storeWithin bounds one write to etcd.
const storeWithin = 10 * time.Second

// Store puts an object into etcd as it is, with its UID, its status and its managed fields, as if an API server had written it long
// ago. Nothing validates it.
func (s *Server) Store(ctx context.Context, object *unstructured.Unstructured) error {
	below, ok := etcdPaths[object.GetKind()]
	if !ok {
		return fmt.Errorf("objects of kind %s are not stored by tests yet", object.GetKind())
	}
	value, err := object.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	key := path.Join("/registry", below, object.GetNamespace(), object.GetName())
	body, err := json.Marshal(map[string][]byte{"key": []byte(key), "value": value})
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	url := s.environment.ControlPlane.Etcd.URL.JoinPath("v3", "kv", "put")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	response, err := (&http.Client{Timeout: storeWithin}).Do(request)
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("put %s: etcd answers %s", key, response.Status)
	}
	return nil
}
