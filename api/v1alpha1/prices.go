package v1alpha1

// A price of a million tokens: a decimal number in quotes, such as "0.25", with at most 9 digits on each side of the point.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=19
// +kubebuilder:validation:Pattern=`^[0-9]{1,9}(\.[0-9]{1,9})?$`
type TokenPrice string

// UpstreamPrices are what a million tokens cost. At least one is set.
//
// +kubebuilder:validation:MinProperties=1
type UpstreamPrices struct {
	// input is the price of tokens of requests, of at most 19 characters. Default: 0.
	// +optional
	Input TokenPrice `json:"input,omitempty"`

	// cachedInput is the price of tokens of requests that the upstream had kept from earlier calls, of at most 19
	// characters. Default: input.
	// +optional
	CachedInput TokenPrice `json:"cachedInput,omitempty"`

	// output is the price of tokens of answers, of at most 19 characters. Default: 0.
	// +optional
	Output TokenPrice `json:"output,omitempty"`

	// reasoning is the price of tokens of answers that the model thought with, of at most 19 characters. Default: output.
	// +optional
	Reasoning TokenPrice `json:"reasoning,omitempty"`
}
