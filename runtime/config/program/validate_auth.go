package program

import (
	"regexp"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

// A name must not lead out of the secrets directory. The characters are those that Kubernetes allows in the names
// of Secrets and their keys.
var secretPart = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)

// maxNamedValues bounds the headers, and the query parameters, that an upstream is sent with every request.
const maxNamedValues = 16

func (v *validator) auth(path string, a *config.Auth) {
	if a == nil {
		return
	}
	switch ways := waysOf(a); {
	case len(ways) == 0:
		v.addf(path, "is empty, want one of bearer, header, query and basic")
		return
	case len(ways) > 1:
		v.addf(path, "has %s, want one of them", strings.Join(ways, " and "))
		return
	}
	switch {
	case a.Bearer != nil:
		v.bearer(path+".bearer", a.Bearer)
	case a.Header != nil:
		v.ownHeader(path+".header.name", a.Header.Name, modelHeaders)
		v.secretSource(path+".header", a.Header.SecretKeyRef, a.Header.File)
	case a.Query != nil:
		v.parameterName(path+".query.name", a.Query.Name)
		v.secretSource(path+".query", a.Query.SecretKeyRef, a.Query.File)
	default:
		v.basic(path+".basic", a.Basic)
	}
}

// waysOf are the members that are set.
func waysOf(a *config.Auth) []string {
	var ways []string
	for _, way := range []struct {
		name string
		set  bool
	}{{"bearer", a.Bearer != nil}, {"header", a.Header != nil}, {"query", a.Query != nil}, {"basic", a.Basic != nil}} {
		if way.set {
			ways = append(ways, way.name)
		}
	}
	return ways
}

func (v *validator) bearer(path string, f *config.SecretFile) {
	switch {
	case f.File == config.FileSource{}:
		v.secretName(path+".secret", "Secret", f.Secret)
		v.secretName(path+".key", "Secret's key", f.Key)
	case f.Secret != "" || f.Key != "":
		v.addf(path, "has both a Secret's key and file, want one of them")
	default:
		v.mountedFile(path+".file", f.File)
	}
}

func (v *validator) basic(path string, b *config.BasicAuth) {
	if v.standsInFiles(path, b.SecretRef, b.Files != nil) {
		v.mountedFile(path+".files.username", b.Files.Username)
		v.mountedFile(path+".files.password", b.Files.Password)
	}
}

// standsInFiles checks that something stands in a Secret or in files, and reports whether it is in files.
func (v *validator) standsInFiles(path string, ref config.SecretRef, files bool) bool {
	switch {
	case !files:
		v.secretName(path+".secretRef.name", "Secret", ref.Name)
	case ref != config.SecretRef{}:
		v.addf(path, "has both secretRef and files, want one of them")
	default:
		return true
	}
	return false
}

// secretSource checks a key that stands in a Secret or in a file.
func (v *validator) secretSource(path string, ref config.SecretFile, file config.FileSource) {
	switch {
	case file == config.FileSource{}:
		v.secretFile(path+".secretKeyRef", ref)
	case ref != config.SecretFile{}:
		v.addf(path, "has both secretKeyRef and file, want one of them")
	default:
		v.mountedFile(path+".file", file)
	}
}

// secretFile checks a reference, by the names that it has in the spec.
func (v *validator) secretFile(path string, f config.SecretFile) {
	v.secretName(path+".name", "Secret", f.Secret)
	v.secretName(path+".key", "Secret's key", f.Key)
}

func (v *validator) secretName(path, what, name string) {
	if !secretPart.MatchString(name) || strings.HasPrefix(name, "..") {
		v.addf(path, "%q is not the name of a %s, want letters, digits and dashes", name, what)
	}
}

// modelHeaders are set by the gateway if the upstream has a model.
var modelHeaders = []string{"accept", "content-type"}

// ownHeader checks the name of a header that is sent with every request.
func (v *validator) ownHeader(path, name string, also []string) {
	lower := strings.ToLower(name)
	switch {
	case !fieldName.MatchString(name):
		v.addf(path, "%q is not the name of a header, want one such as X-Api-Key", name)
	case slices.Contains(ownHeaders, lower), slices.Contains(also, lower):
		v.addf(path, "%q may not be set here: the gateway sets it, or it belongs to a single connection, want it left out", name)
	}
}

func (v *validator) parameterName(path, name string) {
	if name == "" || len(name) > 128 || strings.ContainsFunc(name, isControl) {
		v.addf(path, "is not the name of a query parameter; want 1 to 128 characters without control characters")
	}
}

func (v *validator) upstreamHeaders(path string, u *config.Upstream) {
	var also []string
	if u.HTTP == nil {
		also = modelHeaders
	}
	seen := map[string]bool{}
	if u.Auth != nil && u.Auth.Header != nil {
		seen[strings.ToLower(u.Auth.Header.Name)] = true
	}
	v.namedValues(path+".headers", u.Headers, func(at string, h *config.NamedValue) {
		lower := strings.ToLower(h.Name)
		if lower == "authorization" {
			v.addf(at, "%q may not be set here, want it left out: put credentials into the upstream's auth", h.Name)
			return
		}
		v.ownHeader(at, h.Name, also)
		if seen[lower] {
			v.addf(at, "%q is the name of another header, or that of auth, want a name of its own", h.Name)
		}
		seen[lower] = true
	})
}

func (v *validator) upstreamQuery(path string, u *config.Upstream) {
	seen := map[string]bool{}
	if u.Auth != nil && u.Auth.Query != nil {
		seen[u.Auth.Query.Name] = true
	}
	v.namedValues(path+".query", u.Query, func(at string, p *config.NamedValue) {
		v.parameterName(at, p.Name)
		if seen[p.Name] {
			v.addf(at, "%q is the name of another parameter, or that of auth, want a name of its own", p.Name)
		}
		seen[p.Name] = true
	})
}

func (v *validator) namedValues(path string, values []config.NamedValue, name func(at string, n *config.NamedValue)) {
	if len(values) > maxNamedValues {
		v.addf(path, "has %d items, want at most %d", len(values), maxNamedValues)
	}
	for i := range values {
		item, value := config.Item(path, i), &values[i]
		name(item+".name", value)
		_, inFile := value.Source()
		switch {
		case inFile && value.Value != "":
			v.addf(item, "has both value and secretKeyRef or file, want one of them")
		case inFile && value.SecretKeyRef != nil:
			v.secretSource(item, *value.SecretKeyRef, value.File)
		case inFile:
			v.mountedFile(item+".file", value.File)
		case value.Value == "":
			v.addf(item, "has no value, want one of value, secretKeyRef and file")
		case strings.ContainsFunc(value.Value, isControl):
			v.addf(item+".value", "has control characters, such as a line break; want printable ones, spaces and tabs")
		}
	}
}
