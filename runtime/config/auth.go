package config

// Auth says how a gateway authenticates to an upstream. Exactly one member is set.
type Auth struct {
	// Bearer is sent as Authorization: Bearer (RFC 6750, section 2.1).
	Bearer *SecretFile `json:"bearer,omitzero"`
	// Header is sent as a field of its name.
	Header *NamedSecret `json:"header,omitzero"`
	// Query is added to the URL.
	Query *NamedSecret `json:"query,omitzero"`
	// Basic is sent as Authorization: Basic (RFC 7617).
	Basic *BasicAuth `json:"basic,omitzero"`
}

// NamedSecret is a key, and the name of the header or parameter that it is sent in. Exactly one of SecretKeyRef and File is set.
type NamedSecret struct {
	Name         string     `json:"name"`
	SecretKeyRef SecretFile `json:"secretKeyRef,omitzero"`
	File         FileSource `json:"file,omitzero"`
}

// Source is the file of the key.
func (n *NamedSecret) Source() SecretFile { return n.File.or(n.SecretKeyRef) }

// BasicAuth names the Secret that has a username and a password, or their files.
type BasicAuth struct {
	SecretRef SecretRef   `json:"secretRef,omitzero"`
	Files     *BasicFiles `json:"files,omitzero"`
}

// BasicFiles are the files of a username and a password.
type BasicFiles struct {
	Username FileSource `json:"username"`
	Password FileSource `json:"password"`
}

// The keys of a Secret of the type kubernetes.io/basic-auth.
const (
	usernameKey = "username"
	passwordKey = "password"
)

// Username is the file of the username.
func (b *BasicAuth) Username() SecretFile {
	if b.Files != nil {
		return SecretFile{File: b.Files.Username}
	}
	return SecretFile{Secret: b.SecretRef.Name, Key: usernameKey}
}

// Password is the file of the password.
func (b *BasicAuth) Password() SecretFile {
	if b.Files != nil {
		return SecretFile{File: b.Files.Password}
	}
	return SecretFile{Secret: b.SecretRef.Name, Key: passwordKey}
}

func (b *BasicAuth) secretFiles() []SecretFile { return []SecretFile{b.Username(), b.Password()} }

// NamedValue is a header or a query parameter. Exactly one of Value, SecretKeyRef and File is set.
type NamedValue struct {
	Name         string      `json:"name"`
	Value        string      `json:"value,omitzero"`
	SecretKeyRef *SecretFile `json:"secretKeyRef,omitzero"`
	File         FileSource  `json:"file,omitzero"`
}

// Source is the file of the value; false if the value stands in the config.
func (n *NamedValue) Source() (SecretFile, bool) {
	switch {
	case n.File != FileSource{}:
		return SecretFile{File: n.File}, true
	case n.SecretKeyRef != nil:
		return *n.SecretKeyRef, true
	}
	return SecretFile{}, false
}

// SecretRef names a Secret.
type SecretRef struct {
	Name string `json:"name"`
}

// SecretFile names one key of a Secret, which the gateway reads at DIR/SECRET/KEY below its secrets directory, or a file that
// its container has by another way.
type SecretFile struct {
	Secret string     `json:"secret,omitzero"`
	Key    string     `json:"key,omitzero"`
	File   FileSource `json:"file,omitzero"`
}

// FileSource names a file of the gateway's container by its absolute path.
type FileSource struct {
	Path string `json:"path"`
}

// Keys are the files by whose contents the upstream knows the gateway; without auth, those of its headers and query.
func (u *Upstream) Keys() []SecretFile {
	switch a := u.Auth; {
	case a == nil:
		return u.staticFiles()
	case a.Bearer != nil:
		return []SecretFile{*a.Bearer}
	case a.Header != nil:
		return []SecretFile{a.Header.Source()}
	case a.Query != nil:
		return []SecretFile{a.Query.Source()}
	case a.Basic != nil:
		return a.Basic.secretFiles()
	}
	return nil
}

// staticFiles are those of headers and query.
func (u *Upstream) staticFiles() []SecretFile {
	var files []SecretFile
	for _, values := range [][]NamedValue{u.Headers, u.Query} {
		for i := range values {
			if file, ok := values[i].Source(); ok {
				files = append(files, file)
			}
		}
	}
	return files
}
