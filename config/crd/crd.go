// Package crd holds the CustomResourceDefinition of LLMService, as controller-gen writes it from api/.
package crd

import _ "embed"

// LLMServices is the definition, in YAML.
//
//go:embed bases/serving.llmservice.dev_llmservices.yaml
var LLMServices []byte
