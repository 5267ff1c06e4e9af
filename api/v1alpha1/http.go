package v1alpha1

// A template for one value. At most 8192 characters.
//
// +kubebuilder:validation:MaxLength=8192
type HTTPTemplate string

// HTTPCall makes one HTTP request.
type HTTPCall struct {
	// upstream is the name of an HTTP upstream, or an expression for one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Upstream string `json:"upstream,omitempty"`

	// upstreams are the names that an expression may return. At most 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	Upstreams []string `json:"upstreams,omitempty"`

	// method is the HTTP method: GET, POST, PUT, PATCH or DELETE. Default: GET.
	// +optional
	// +kubebuilder:default=GET
	Method HTTPMethod `json:"method,omitempty"`

	// path is a template, appended to the endpoint's URL: a slash and more, at most 4096 characters. Values are escaped.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:Pattern=`^/`
	Path string `json:"path,omitempty"`

	// query has a template for each parameter of the URL's query. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Query map[string]HTTPTemplate `json:"query,omitempty"`

	// headers has a template for each header. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Headers map[string]HTTPTemplate `json:"headers,omitempty"`

	// body is a JSON value whose strings are templates.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Body *JSON `json:"body,omitempty"`

	// allowStatus lists statuses from 300 to 599 that are not failures either. At most 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Minimum=300
	// +kubebuilder:validation:items:Maximum=599
	AllowStatus []int32 `json:"allowStatus,omitempty"`
}
