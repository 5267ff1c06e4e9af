package v1alpha1

// BodyEncoding selects how the text of a body stands for bytes.
//
// +kubebuilder:validation:Enum=Base64
type BodyEncoding string

// BodyEncodingBase64 is base64 with padding (RFC 4648, section 4).
const BodyEncodingBase64 BodyEncoding = "Base64"

// SameSite selects the requests of other sites that a cookie is sent with.
//
// +kubebuilder:validation:Enum=Strict;Lax;None
type SameSite string

// The requests of other sites that a cookie is sent with.
const (
	// SameSiteStrict is none of them.
	SameSiteStrict SameSite = "Strict"
	// SameSiteLax is when a person follows a link.
	SameSiteLax SameSite = "Lax"
	// SameSiteNone is all of them.
	SameSiteNone SameSite = "None"
)

// Descriptions from here on are short: they are in the schema three times.

// AnswerHead is what an answer has besides its status and its body.
type AnswerHead struct {
	// headers has a template for each header. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Headers map[string]HTTPTemplate `json:"headers,omitempty"`

	// cookies are set by the answer. At most 16.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Cookies []SetCookie `json:"cookies,omitempty"`

	// contentType is the media type of body, such as text/html. Unless it is JSON's, body is text. At most 128 characters.
	// Default: application/json.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	ContentType string `json:"contentType,omitempty"`

	// bodyEncoding is Base64 if body has bytes in base64. Default: text.
	// +optional
	BodyEncoding BodyEncoding `json:"bodyEncoding,omitempty"`

	// location is the header Location.
	// +optional
	Location *Location `json:"location,omitempty"`
}

// A cookie that clients are asked to keep.
type SetCookie struct {
	// name has at most 63 letters, digits and -_., and begins with a letter or underscore.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][-A-Za-z0-9_.]*$`
	Name string `json:"name,omitempty"`

	// value is a template of at most 8192 characters.
	// +optional
	Value *HTTPTemplate `json:"value,omitempty"`

	// path has at most 256 characters. Default: /.
	// +optional
	// +kubebuilder:default=/
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Path string `json:"path,omitempty"`

	// maxAge is in seconds, from 0, which deletes the cookie, to 34560000. Default: until the browser is closed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=34560000
	MaxAge *int32 `json:"maxAge,omitempty"`

	// httpOnly hides the cookie from scripts. Default: true.
	// +optional
	// +kubebuilder:default=true
	HTTPOnly *bool `json:"httpOnly,omitempty"`

	// secure is for HTTPS only. Default: true.
	// +optional
	// +kubebuilder:default=true
	Secure *bool `json:"secure,omitempty"`

	// sameSite is Strict, Lax or None. Default: Lax.
	// +optional
	// +kubebuilder:default=Lax
	SameSite SameSite `json:"sameSite,omitempty"`
}

// A URL whose host no expression can choose.
type Location struct {
	// origin is a scheme and a host, of at most 256 characters. Default: those of the request.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Origin string `json:"origin,omitempty"`

	// path is a template of at most 4096 characters. Values are escaped.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Path string `json:"path,omitempty"`

	// query has a template for each parameter. At most 32.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Query map[string]HTTPTemplate `json:"query,omitempty"`
}
