package controllers

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/runtime/config/report"
)

func TestGatewayVersion(t *testing.T) {
	for name, tt := range map[string]struct {
		reported []string
		want     string
	}{
		"none":              {nil, ""},
		"an older gateway":  {[]string{"", ""}, ""},
		"one":               {[]string{"v1.2.0", "v1.2.0"}, "v1.2.0"},
		"a roll-out":        {[]string{"v1.2.0", "v1.1.0", "v1.2.0"}, "v1.1.0, v1.2.0"},
		"many":              {[]string{"v4", "v3", "v2", "v1"}, "v1, v2, v3"},
		"of a commit":       {[]string{"v0.0.0-20261129192600-0123456789ab+dirty"}, "v0.0.0-20261129192600-0123456789ab+dirty"},
		"not a version":     {[]string{"<b>", "v1 or not", strings.Repeat("1", 1000)}, ""},
		"not all a version": {[]string{"\n", "v1"}, "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &view{}
			for i, build := range tt.reported {
				uid := types.UID(rune('a' + i))
				pod := corev1.Pod{}
				pod.UID = uid
				seen.pods = append(seen.pods, pod)
				seen.load.Pods = append(seen.load.Pods, load.PodLoad{UID: uid, Status: report.Status{Build: build}})
			}
			if got := seen.gatewayVersion(); got != tt.want {
				t.Errorf("it is %q, want %q", got, tt.want)
			}
		})
	}
}
