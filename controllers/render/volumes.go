package render

import (
	"maps"
	"path"
	"slices"

	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

const (
	configVolume = "config"
	// fileMode is that of all files. They belong to root, and which user reads them is known to the image, or to the platform alone.
	// Only containers that mount a volume have its files.
	fileMode = 0o444
)

type mountedVolume struct {
	volume *accorev1.VolumeApplyConfiguration
	mount  *accorev1.VolumeMountApplyConfiguration
}

// volumesOf lists the config's volume and one for each Secret that the current config names. The last good one must not
// count: once it is replaced, the pods would lose a volume, and a change of the config alone would replace them all.
func volumesOf(in Input) []mountedVolume {
	volumes := []mountedVolume{configMapVolume(delivery.ConfigMapName(in.Service.Name))}
	for _, name := range in.Current.Secrets {
		volumes = append(volumes, secretVolume(name))
	}
	return volumes
}

// The whole directory is mounted: a file mounted by subPath would never change.
func configMapVolume(name string) mountedVolume {
	return mountedVolume{
		volume: accorev1.Volume().WithName(configVolume).
			WithConfigMap(accorev1.ConfigMapVolumeSource().WithName(name).WithDefaultMode(fileMode)),
		mount: readOnlyMount(configVolume, delivery.Dir),
	}
}

// The volume is optional, so that a missing Secret fails the requests that need it and not the whole service. Its name
// is a hash, because a Secret's name may be longer than a volume's.
func secretVolume(secret string) mountedVolume {
	name := "secret-" + shortHash([]byte(secret))
	return mountedVolume{
		volume: accorev1.Volume().WithName(name).
			WithSecret(accorev1.SecretVolumeSource().WithSecretName(secret).WithOptional(true).WithDefaultMode(fileMode)),
		mount: readOnlyMount(name, path.Join(delivery.SecretsDir, secret)),
	}
}

func readOnlyMount(volume, at string) *accorev1.VolumeMountApplyConfiguration {
	return accorev1.VolumeMount().WithName(volume).WithMountPath(at).WithReadOnly(true)
}

func secretNames(c *config.Config) []string {
	names := map[string]struct{}{}
	for _, file := range c.SecretFiles() {
		if file.Secret != "" {
			names[file.Secret] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
