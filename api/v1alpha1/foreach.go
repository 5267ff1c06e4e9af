package v1alpha1

// ForEach makes one call for each item of a list.
type ForEach struct {
	// items is an expression for a list, such as ${request.body.urls}. At most 4096 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Items string `json:"items,omitempty"`

	// maxItems is how many items the list may have, from 1 to 256; a longer one is an error. Default: 64.
	// +optional
	// +kubebuilder:default=64
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	MaxItems int32 `json:"maxItems,omitempty"`

	// maxParallel is how many calls are made at once, from 1 to 32. Default: 4.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	MaxParallel int32 `json:"maxParallel,omitempty"`

	// do is the call; its templates read the item as item, and its position, from 0, as index.
	// +required
	Do *ForEachCall `json:"do,omitempty"`
}

// ForEachCall is what a forEach does with an item. Exactly one kind is set.
//
// +kubebuilder:validation:ExactlyOneOf=chat;embeddings;http;call;agent
type ForEachCall struct {
	// timeout bounds the call for one item, such as 5s. Without it the timeouts of what is around it do.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// onError says what happens where the call fails. Without it the step fails, and the other calls are cancelled.
	// +optional
	OnError *OnError `json:"onError,omitempty"`

	Action `json:",inline"`
}
