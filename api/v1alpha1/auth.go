package v1alpha1

// AuthType selects how a gateway authenticates to an upstream.
//
// +kubebuilder:validation:Enum=Bearer;Header;Query;Basic
type AuthType string

// The ways to authenticate to an upstream.
const (
	// AuthBearer sends the header Authorization: Bearer KEY.
	AuthBearer AuthType = "Bearer"
	// AuthHeader sends the key as a header of another name, as Azure's api-key and Anthropic's x-api-key are.
	AuthHeader AuthType = "Header"
	// AuthQuery sends the key as a query parameter.
	AuthQuery AuthType = "Query"
	// AuthBasic sends a username and a password.
	AuthBasic AuthType = "Basic"
)

// UpstreamAuth is how the gateway authenticates to an upstream.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Bearer' ? has(self.bearer) : !has(self.bearer)",message="bearer is required when type is Bearer, and forbidden otherwise"
// +kubebuilder:validation:XValidation:rule="self.type == 'Header' ? has(self.header) : !has(self.header)",message="header is required when type is Header, and forbidden otherwise"
// +kubebuilder:validation:XValidation:rule="self.type == 'Query' ? has(self.query) : !has(self.query)",message="query is required when type is Query, and forbidden otherwise"
// +kubebuilder:validation:XValidation:rule="self.type == 'Basic' ? has(self.basic) : !has(self.basic)",message="basic is required when type is Basic, and forbidden otherwise"
type UpstreamAuth struct {
	// type selects the method, and with it the member of the same name: Bearer, Header, Query or Basic.
	// +unionDiscriminator
	// +required
	Type AuthType `json:"type,omitempty"`

	// bearer sends a key in the header Authorization: Bearer KEY.
	// +unionMember
	// +optional
	Bearer *BearerAuth `json:"bearer,omitempty"`

	// header sends a key as the value of a header, such as api-key or x-api-key.
	// +unionMember
	// +optional
	Header *HeaderAuth `json:"header,omitempty"`

	// query sends a key as a query parameter. Prefer a header if the upstream takes one, because servers and proxies log URLs.
	// +unionMember
	// +optional
	Query *QueryAuth `json:"query,omitempty"`

	// basic sends a username and a password in the header Authorization: Basic (RFC 7617).
	// +unionMember
	// +optional
	Basic *BasicAuth `json:"basic,omitempty"`
}

// BearerAuth names the key to send.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretKeyRef) != has(self.file)",message="exactly one of secretKeyRef and file is required"
type BearerAuth struct {
	// secretKeyRef names the key of a Secret in the service's namespace. The gateway's pods mount the Secret; the
	// operator never reads it.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`

	// file names a file of the gateway's container that holds the key.
	// +optional
	File *FileSource `json:"file,omitempty"`
}

// HeaderAuth names a header and the key to send in it.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretKeyRef) != has(self.file)",message="exactly one of secretKeyRef and file is required"
type HeaderAuth struct {
	// name is the name of the header.
	// +required
	Name HeaderName `json:"name,omitempty"`

	// secretKeyRef names the key of a Secret in the service's namespace.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`

	// file names a file of the gateway's container that holds the key.
	// +optional
	File *FileSource `json:"file,omitempty"`
}

// QueryAuth names a query parameter and the key to send in it.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretKeyRef) != has(self.file)",message="exactly one of secretKeyRef and file is required"
type QueryAuth struct {
	// name is the name of the parameter.
	// +required
	Name ParameterName `json:"name,omitempty"`

	// secretKeyRef names the key of a Secret in the service's namespace.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`

	// file names a file of the gateway's container that holds the key.
	// +optional
	File *FileSource `json:"file,omitempty"`
}

// BasicAuth names the Secret, or the files, that hold a username and a password.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretRef) != has(self.files)",message="exactly one of secretRef and files is required"
type BasicAuth struct {
	// secretRef names a Secret in the service's namespace with the keys username and password, as Secrets of the type
	// kubernetes.io/basic-auth have them.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`

	// files names files of the gateway's container that hold the two.
	// +optional
	Files *BasicFiles `json:"files,omitempty"`
}

// BasicFiles names the files of a username and a password.
type BasicFiles struct {
	// username is the file with the username.
	// +required
	Username FileSource `json:"username,omitzero"`

	// password is the file with the password.
	// +required
	Password FileSource `json:"password,omitzero"`
}

// HeaderName is the name of an HTTP header, of at most 128 characters (RFC 9110, section 5.6.2).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[-!#$%&'*+.^_\x60|~0-9A-Za-z]+$`
type HeaderName string

// ParameterName is the name of a query parameter, of at most 128 characters.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
type ParameterName string

// A header that is sent with every request to an upstream.
//
// +kubebuilder:validation:XValidation:rule="[has(self.value), has(self.secretKeyRef), has(self.file)].exists_one(is, is)",message="exactly one of value, secretKeyRef and file is required"
type UpstreamHeader struct {
	// name is the name of the header. Connection, Host, Content-Length and others that belong to the connection or frame the
	// message are refused.
	// +required
	Name HeaderName `json:"name,omitempty"`

	// value is the value, of at most 1024 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`

	// secretKeyRef takes the value from a key of a Secret in the service's namespace.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`

	// file takes the value from a file of the gateway's container.
	// +optional
	File *FileSource `json:"file,omitempty"`
}

// A query parameter that is added to every URL of an upstream.
//
// +kubebuilder:validation:XValidation:rule="[has(self.value), has(self.secretKeyRef), has(self.file)].exists_one(is, is)",message="exactly one of value, secretKeyRef and file is required"
type UpstreamParameter struct {
	// name is the name of the parameter.
	// +required
	Name ParameterName `json:"name,omitempty"`

	// value is the value, of at most 1024 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`

	// secretKeyRef takes the value from a key of a Secret in the service's namespace.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`

	// file takes the value from a file of the gateway's container.
	// +optional
	File *FileSource `json:"file,omitempty"`
}

// SecretReference names a Secret in the service's namespace.
type SecretReference struct {
	// name is the Secret's name, of at most 253 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`
}

// SecretKeyReference names one key of a Secret in the service's namespace.
type SecretKeyReference struct {
	// name is the Secret's name, of at most 253 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// key is the key within the Secret, of at most 253 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([-_a-zA-Z0-9]|\.[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$`
	Key string `json:"key,omitempty"`
}
