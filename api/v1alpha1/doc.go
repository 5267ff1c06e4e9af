// Package v1alpha1 holds the API of LLMService: one resource that describes an LLM service, from the upstreams it
// calls to the replicas it runs.
//
// +kubebuilder:object:generate=true
// +groupName=serving.llmservice.dev
package v1alpha1
