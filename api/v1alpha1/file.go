package v1alpha1

// FileSource names a file of the gateway's container that is not from a Secret of the cluster: of a volume of the Secrets Store
// CSI driver, or written by a sidecar or by Vault's agent. A volumeMount in runtime.podTemplate brings it there.
type FileSource struct {
	// path is the absolute path of the file, such as /mnt/secrets-store/openai, of at most 512 characters. The gateway reads the
	// file again within a second after it has changed. A key has one line, of at most 8 KiB.
	// +required
	Path FilePath `json:"path,omitempty"`
}

// FilePath is the absolute path of a file, of at most 512 characters. No part of it begins with two dots.
//
// The files of the kernel, of the gateway itself, and of the account at the API server are not for upstreams.
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:Pattern=`^(/\.?[-_@:+=~a-zA-Z0-9][-._@:+=~a-zA-Z0-9]*)+$`
// +kubebuilder:validation:XValidation:rule="!self.matches('^/(proc|sys|dev|etc/llmservice|(var/)?run/secrets/kubernetes[.]io)(/|$)')",message="must not be below /proc, /sys, /dev, /etc/llmservice or /var/run/secrets/kubernetes.io"
type FilePath string
