package render_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// platformVolumes are the volumes that OpenShift's restricted-v2 allows.
var platformVolumes = []string{
	"ConfigMap", "CSI", "DownwardAPI", "EmptyDir", "Ephemeral", "PersistentVolumeClaim", "Projected", "Secret",
}

// A platform that gives each namespace its own users refuses pods that name another user or fsGroup. It has no rule for the group of
// a process, without which that would be root's.
func TestPodsNameNoUser(t *testing.T) {
	for _, name := range []string{"minimal", "full", everyField} {
		s := service(t, name)
		s.Spec.Runtime.PodTemplate = nil
		pod := typedTemplate(t, s).Spec
		want := &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		if diff := cmp.Diff(want, pod.SecurityContext); diff != "" {
			t.Errorf("%s: the pod's security context (-want +got):\n%s", name, diff)
		}
		own := pod.Containers[0].SecurityContext
		if own.RunAsUser != nil || *own.RunAsGroup != 65532 || *own.AllowPrivilegeEscalation || !slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: the container's security context is %+v", name, own)
		}
		for _, volume := range pod.Volumes {
			checkVolume(t, volume)
		}
	}
}

// checkVolume fails unless the platform allows the volume, and any user can read it: no group owns its files.
func checkVolume(t *testing.T, volume corev1.Volume) {
	t.Helper()
	source := reflect.ValueOf(volume.VolumeSource)
	for i := range source.NumField() {
		if kind := source.Type().Field(i).Name; !source.Field(i).IsNil() && !slices.Contains(platformVolumes, kind) {
			t.Errorf("volume %s is a %s", volume.Name, kind)
		}
	}
	var mode *int32
	switch {
	case volume.Secret != nil:
		mode = volume.Secret.DefaultMode
	case volume.ConfigMap != nil:
		mode = volume.ConfigMap.DefaultMode
	}
	if mode == nil || *mode != 0o444 {
		t.Errorf("files of volume %s have the mode %v, want 0444", volume.Name, mode)
	}
}

// The kubelet refuses an image without a numeric user where a pod must not run as root.
func TestImageNamesItsUserByNumber(t *testing.T) {
	for _, file := range []string{"../../cmd/gateway/Dockerfile", "../../cmd/manager/Dockerfile"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^USER [1-9][0-9]*(:[1-9][0-9]*)?$`).Match(text) {
			t.Errorf("%s names no user by number", file)
		}
	}
}

// One constraint would replace all those that the scheduler has for pods without any.
func TestTheSchedulerSpreadsPods(t *testing.T) {
	for _, name := range []string{"minimal", "full", everyField} {
		s := service(t, name)
		s.Spec.Runtime.PodTemplate = nil
		pod := typedTemplate(t, s).Spec
		if len(pod.TopologySpreadConstraints) > 0 || pod.Affinity != nil {
			t.Errorf("%s: its pods have %v and %v", name, pod.TopologySpreadConstraints, pod.Affinity)
		}
	}
}
