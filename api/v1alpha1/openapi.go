package v1alpha1

// OpenAPIInfo describes the service in its OpenAPI document, and on the pages that show it.
//
// +kubebuilder:validation:MinProperties=1
type OpenAPIInfo struct {
	// title is the service's name for its clients. At most 128 characters. Default: metadata.name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Title string `json:"title,omitempty"`

	// version is the version of the service's API, such as 1.2.0. At most 64 characters. Default: the revision of the config.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`

	// description describes the service, in Markdown. At most 4096 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Description string `json:"description,omitempty"`
}
