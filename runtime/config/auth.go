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

// NamedSecret is a key, and the name of the header or parameter that it is sent in.
type NamedSecret struct {
	Name         string     `json:"name"`
	SecretKeyRef SecretFile `json:"secretKeyRef"`
}

// BasicAuth names the Secret that has a username and a password.
type BasicAuth struct {
	SecretRef SecretRef `json:"secretRef"`
}

// The keys of a Secret of the type kubernetes.io/basic-auth.
const (
	usernameKey = "username"
	passwordKey = "password"
)

// Username is the file of the username.
func (b *BasicAuth) Username() SecretFile { return SecretFile{b.SecretRef.Name, usernameKey} }

// Password is the file of the password.
func (b *BasicAuth) Password() SecretFile { return SecretFile{b.SecretRef.Name, passwordKey} }

func (b *BasicAuth) secretFiles() []SecretFile { return []SecretFile{b.Username(), b.Password()} }

// NamedValue is a header or a query parameter. Exactly one of Value and SecretKeyRef is set.
type NamedValue struct {
	Name         string      `json:"name"`
	Value        string      `json:"value,omitzero"`
	SecretKeyRef *SecretFile `json:"secretKeyRef,omitzero"`
}

// SecretRef names a Secret.
type SecretRef struct {
	Name string `json:"name"`
}

// SecretFile names one key of a Secret; the gateway reads it at DIR/SECRET/KEY below its secrets directory.
type SecretFile struct {
	Secret string `json:"secret"`
	Key    string `json:"key"`
}

// Keys are the files by whose contents the upstream knows the gateway; without auth, those of its headers and query.
func (u *Upstream) Keys() []SecretFile {
	switch a := u.Auth; {
	case a == nil:
		return u.staticFiles()
	case a.Bearer != nil:
		return []SecretFile{*a.Bearer}
	case a.Header != nil:
		return []SecretFile{a.Header.SecretKeyRef}
	case a.Query != nil:
		return []SecretFile{a.Query.SecretKeyRef}
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
			if values[i].SecretKeyRef != nil {
				files = append(files, *values[i].SecretKeyRef)
			}
		}
	}
	return files
}
