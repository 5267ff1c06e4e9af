package v1alpha1

// ForEach makes one call for each item of a list.
type ForEach struct {
	// items is an expression for a list, such as ${request.body.urls}. At most 4096 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Items string `json:"items,omitempty"`

	// maxItems is the maximum number of items, from 1 to 256; a longer list is an error. Default: 64.
	// +optional
	// +kubebuilder:default=64
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	MaxItems int32 `json:"maxItems,omitempty"`

	// maxParallel is the number of calls at the same time, from 1 to 32. Default: 4.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	MaxParallel int32 `json:"maxParallel,omitempty"`

	// do is the call. Its templates read the item as item, and its position, counted from 0, as index.
	// +required
	Do *ForEachCall `json:"do,omitempty"`
}

// ForEachCall is the call that a forEach makes for an item. Exactly one kind is set.
//
// +kubebuilder:validation:ExactlyOneOf=chat;embeddings;http;call;agent
type ForEachCall struct {
	// timeout limits the call for one item, such as 5s. Default: only the timeouts around it apply.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// onError is what happens if the call fails. Default: the step fails, and the other calls are cancelled.
	// +optional
	OnError *OnError `json:"onError,omitempty"`

	Action `json:",inline"`
}
