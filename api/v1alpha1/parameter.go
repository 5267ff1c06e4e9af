package v1alpha1

// ParameterPlace says where a parameter stands.
//
// +kubebuilder:validation:Enum=Path;Query;Header
type ParameterPlace string

// Where a parameter may stand.
const (
	// InPath is a segment {name} of the route's path.
	InPath ParameterPlace = "Path"
	// InQuery is the URL's query.
	InQuery ParameterPlace = "Query"
	// InHeader is a header, in upper or lower case.
	InHeader ParameterPlace = "Header"
)

// Parameter is one value that a request has outside of its body.
type Parameter struct {
	// name is the parameter's, and templates read it as request.params.NAME: at most 63 letters, digits and -_.,
	// beginning with a letter or underscore. A name such as X-Tenant stands between backquotes there.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][-A-Za-z0-9_.]*$`
	Name string `json:"name,omitempty"`

	// in says where the parameter stands: Path, Query or Header.
	// +required
	In ParameterPlace `json:"in,omitempty"`

	// description says in the OpenAPI document what the parameter is for. At most 1024 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// required refuses a request without the parameter. Default: false; one of the path is always required.
	// +optional
	Required *bool `json:"required,omitempty"`

	// schema is the JSON Schema (draft 2020-12) of the value; its type says how the text is read. Default: a string.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Schema *JSON `json:"schema,omitempty"`
}
