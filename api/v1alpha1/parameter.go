package v1alpha1

// ParameterPlace is the part of a request that contains a parameter.
//
// +kubebuilder:validation:Enum=Path;Query;Header;Cookie
type ParameterPlace string

// The parts of a request that may contain a parameter.
const (
	// InPath is a segment {name} of the route's path.
	InPath ParameterPlace = "Path"
	// InQuery is the URL's query.
	InQuery ParameterPlace = "Query"
	// InHeader is a header, in upper or lower case.
	InHeader ParameterPlace = "Header"
	// InCookie is a cookie.
	InCookie ParameterPlace = "Cookie"
)

// Parameter is one value of a request outside of its body.
type Parameter struct {
	// name is the name of the parameter, which templates read as request.params.NAME: at most 63 letters, digits and -_.,
	// beginning with a letter or underscore. In templates, put backquotes around a name such as X-Tenant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][-A-Za-z0-9_.]*$`
	Name string `json:"name,omitempty"`

	// in is the part of the request that contains the parameter: Path, Query, Header or Cookie.
	// +required
	In ParameterPlace `json:"in,omitempty"`

	// description describes the parameter in the OpenAPI document. At most 1024 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// required refuses requests without the parameter. Default: false; a path parameter is always required.
	// +optional
	Required *bool `json:"required,omitempty"`

	// schema is the JSON Schema (draft 2020-12) of the value; the text is converted to its type. Default: a string.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Schema *JSON `json:"schema,omitempty"`
}
