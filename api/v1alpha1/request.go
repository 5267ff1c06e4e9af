package v1alpha1

// Request describes the requests that a route accepts.
type Request struct {
	// parameters are the values in the path, the query and the headers. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Parameters []Parameter `json:"parameters,omitempty"`

	// schema is the JSON Schema (draft 2020-12) of the body. A body that does not match gets a 422; defaults are filled in.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Schema *JSON `json:"schema,omitempty"`

	// assertFormats enforces the keyword format. Default: false, which makes it an annotation.
	// +optional
	AssertFormats *bool `json:"assertFormats,omitempty"`

	// echoInput repeats the refused values in a 422. Default: false.
	// +optional
	EchoInput *bool `json:"echoInput,omitempty"`

	// allowAnyContentType reads a body as JSON regardless of its Content-Type, and without one. Default: false, which answers 415,
	// because a web page may post such bodies to any address that its reader's browser reaches.
	// +optional
	AllowAnyContentType *bool `json:"allowAnyContentType,omitempty"`

	// form makes the body a form, as multipart/form-data or application/x-www-form-urlencoded, instead of JSON: schema describes
	// its fields, whose texts are converted as those of parameters. Needs the method POST, PUT or PATCH. Example:
	// {files: [{name: photo, encoding: Base64, maxBytes: 524288}]}.
	// +optional
	Form *Form `json:"form,omitempty"`
}

// FileEncoding is how templates see the content of a file.
//
// +kubebuilder:validation:Enum=Text;Base64
type FileEncoding string

// The encodings of files.
const (
	// FileText is UTF-8; a file that is not gets a 422.
	FileText FileEncoding = "Text"
	// FileBase64 is any content, in base64.
	FileBase64 FileEncoding = "Base64"
)

// Form describes what a form has besides the fields that schema names.
type Form struct {
	// files are the files that are uploaded with the form. At most 16.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Files []FormFile `json:"files,omitempty"`
}

// A file that is uploaded with a form, or a list of them.
type FormFile struct {
	// name is the field's name: at most 63 letters, digits and -_., beginning with a letter or underscore. Templates read
	// request.body.NAME, with the members filename, contentType, size, and text or base64.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][-A-Za-z0-9_.]*$`
	Name string `json:"name,omitempty"`

	// description describes the file in the OpenAPI document. At most 1024 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// required refuses forms without the file. Default: false.
	// +optional
	Required *bool `json:"required,omitempty"`

	// encoding is the form in which templates read the content: Text, which must be UTF-8, or Base64. Default: Text.
	// +optional
	// +kubebuilder:default=Text
	Encoding FileEncoding `json:"encoding,omitempty"`

	// maxBytes is the maximum size of the file in bytes, from 1 to 16777216; a larger one gets a 413. Default:
	// runtime.requestBodyLimit, which limits the whole body.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16777216
	MaxBytes int32 `json:"maxBytes,omitempty"`

	// maxItems makes the value a list of at most so many files, from 1 to 16. Default: one file, the last of several.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	MaxItems int32 `json:"maxItems,omitempty"`
}
