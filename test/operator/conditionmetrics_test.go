package operator

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// The manager's metrics have the conditions as the status has them, and none of a service that was deleted.
func TestConditionsAreScraped(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.awaitSeries(service, map[string]string{"Ready": "True", "Available": "True", "ConfigValid": "True", "ConfigApplied": "True", "Scaling": "False"})
	s.edit(service, broken)
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Invalid")
	s.awaitSeries(service, map[string]string{
		"Ready": "False", "Available": "True", "ConfigValid": "False", "ConfigApplied": "True", "Scaling": "False", "Stalled": "True",
	})
	if err := api.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	s.awaitSeries(service, map[string]string{})
}

// awaitSeries waits until the metrics have exactly these conditions of the service.
func (s *system) awaitSeries(service *v1alpha1.LLMService, want map[string]string) {
	s.t.Helper()
	eventually(s.t, "series of conditions", func() error {
		families, err := metrics.Registry.Gather()
		if err != nil {
			return err
		}
		got := map[string]string{}
		for _, family := range families {
			if family.GetName() != "llmservice_condition" {
				continue
			}
			for _, metric := range family.GetMetric() {
				labels := map[string]string{}
				for _, label := range metric.GetLabel() {
					labels[label.GetName()] = label.GetValue()
				}
				if labels["namespace"] == service.Namespace && labels["name"] == service.Name {
					got[labels["type"]] += labels["status"]
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("they are %v, want %v", got, want)
		}
		return nil
	})
}
