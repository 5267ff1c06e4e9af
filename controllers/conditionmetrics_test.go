package controllers

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Each condition has one series, with the status that it has now, and a service that is gone has none.
func TestConditionsAreMetrics(t *testing.T) {
	a, b := types.NamespacedName{Namespace: "team", Name: "a"}, types.NamespacedName{Namespace: "team", Name: "b"}
	c := &conditionMetrics{services: map[types.NamespacedName][]metav1.Condition{}}
	expect := func(step, want string) {
		t.Helper()
		const head = "# HELP llmservice_condition 1 for each condition in the status of an LLMService, with its status. Reported by the leading manager.\n" +
			"# TYPE llmservice_condition gauge\n"
		if want != "" {
			want = head + want
		}
		if err := testutil.CollectAndCompare(c, strings.NewReader(want)); err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
	expect("at first", "")
	c.set(a, []metav1.Condition{{Type: "Ready", Status: "False", Reason: "Progressing", Message: "on its way"}, {Type: "Reconciling", Status: "True"}})
	c.set(b, []metav1.Condition{{Type: "Ready", Status: "Unknown"}})
	expect("two services", `llmservice_condition{name="a",namespace="team",status="False",type="Ready"} 1
llmservice_condition{name="a",namespace="team",status="True",type="Reconciling"} 1
llmservice_condition{name="b",namespace="team",status="Unknown",type="Ready"} 1
`)
	c.set(a, []metav1.Condition{{Type: "Ready", Status: "True"}})
	c.forget(b)
	expect("one changed, one gone", `llmservice_condition{name="a",namespace="team",status="True",type="Ready"} 1
`)
}
