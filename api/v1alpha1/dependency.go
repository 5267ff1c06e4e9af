package v1alpha1

// Dependency is a function that runs before the steps of a route, and may refuse the request.
type Dependency struct {
	// name is the name of the function's result in templates: at most 63 letters, digits and underscores, beginning with a letter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*$`
	Name string `json:"name,omitempty"`

	Call `json:",inline"`
}

// A dependency of all routes is a function that runs before each of the service, and may refuse the request.
//
// +kubebuilder:validation:XValidation:rule="!has(self.parameters) || self.parameters.all(p, p.__in__ != 'Path')",message="parameters: in must be Query, Header or Cookie, because the routes have different paths"
type ServiceDependency struct {
	Dependency `json:",inline"`

	// parameters are values in the query, the headers and the cookies that every route reads, in addition to its own, as
	// request.params.NAME. Their in must not be Path. At most 8.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Parameters []Parameter `json:"parameters,omitempty"`
}

// A refusal ends the route. Only in functions that nothing calls other than dependencies.
type Refusal struct {
	// status is from 400 to 599.
	// +required
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=599
	Status int32 `json:"status,omitempty"`

	// body is a JSON value whose strings are templates.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Body *JSON `json:"body,omitempty"`

	// headers has a template for each header. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Headers map[string]HTTPTemplate `json:"headers,omitempty"`
}
