package upstream

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// Auth is the key that is sent to an upstream, and where it stands. At most one of the ways is used; the zero value sends no
// key. Paths are those of files of Credentials.
type Auth struct {
	// Bearer is the path of a key that is sent as the dialect sends keys, or as a bearer token (RFC 6750, section 2.1) if there
	// is no dialect.
	Bearer string
	// Header is a key that is sent in a header field of its name. Query is a key that is added to the URL.
	Header, Query Value
	// Username and Password are the paths of the two parts of Authorization: Basic (RFC 7617).
	Username, Password string
}

// Value is the value of a header or query parameter.
type Value struct {
	Name string
	// Text is the value itself, unless there is a Path.
	Text string
	// Path is the path of the file whose content is the value.
	Path string
}

// key is the content of a file, as it was sent to an upstream.
type key struct{ path, value string }

// signed is a question as it is sent to an upstream.
type signed struct {
	header http.Header
	path   string
	// keys are those by which the upstream knows the gateway; without Auth, any key that is sent.
	keys []key
}

// sign makes the request of a question. The question's own fields take precedence over those that are sent with all requests,
// and the key over both. The error names the file that cannot be read.
func (u *Upstream) sign(q *Question, s *signed) error {
	s.header, s.path = q.header(), q.Path
	for _, h := range u.headers {
		value, err := u.valueOf(h, s)
		if err != nil {
			return err
		}
		s.header[http.CanonicalHeaderKey(h.Name)] = []string{value}
	}
	maps.Copy(s.header, q.Header)
	if err := u.addQuery(s); err != nil {
		return err
	}
	if u.Auth == (Auth{}) {
		return nil
	}
	s.keys = nil
	return u.authorize(s)
}

func (u *Upstream) valueOf(v Value, s *signed) (string, error) {
	if v.Path == "" {
		return v.Text, nil
	}
	return u.read(v.Path, s)
}

func (u *Upstream) read(path string, s *signed) (string, error) {
	value, err := u.credentials.Read(path)
	if err != nil {
		return "", err
	}
	s.keys = append(s.keys, key{path, value})
	return value, nil
}

func (u *Upstream) addQuery(s *signed) error {
	if len(u.query) == 0 {
		return nil
	}
	return s.inQuery(func(asked url.Values) error {
		for _, parameter := range u.query {
			value, err := u.valueOf(parameter, s)
			if err != nil {
				return err
			}
			if !asked.Has(parameter.Name) {
				asked.Set(parameter.Name, value)
			}
		}
		return nil
	})
}

// inQuery changes the query. A part of it that is malformed is left out, as a server would leave it out.
func (s *signed) inQuery(change func(url.Values) error) error {
	path, query, _ := strings.Cut(s.path, "?")
	values, _ := url.ParseQuery(query)
	if err := change(values); err != nil {
		return err
	}
	if s.path = path; len(values) > 0 {
		s.path += "?" + values.Encode()
	}
	return nil
}

func (u *Upstream) authorize(s *signed) error {
	switch a := &u.Auth; {
	case a.Bearer != "":
		return u.bear(s)
	case a.Password != "":
		return u.basic(s)
	case a.Header.Path != "":
		secret, err := u.read(a.Header.Path, s)
		s.header[http.CanonicalHeaderKey(a.Header.Name)] = []string{secret}
		return err
	default:
		return s.inQuery(func(asked url.Values) error {
			secret, err := u.read(a.Query.Path, s)
			asked.Set(a.Query.Name, secret)
			return err
		})
	}
}

func (u *Upstream) bear(s *signed) error {
	secret, err := u.read(u.Auth.Bearer, s)
	switch {
	case err != nil:
		return err
	case u.Dialect != nil:
		u.Dialect.Authorize(s.header, secret)
	default:
		s.header["Authorization"] = []string{"Bearer " + secret}
	}
	return nil
}

var errColon = errors.New("the username has a colon (RFC 7617, section 2)")

func (u *Upstream) basic(s *signed) error {
	username, err := u.read(u.Auth.Username, s)
	if err != nil {
		return err
	}
	password, err := u.read(u.Auth.Password, s)
	if err != nil {
		return err
	}
	if strings.Contains(username, ":") {
		return errColon
	}
	r := http.Request{Header: s.header}
	r.SetBasicAuth(username, password)
	return nil
}

// sent is the last attempt of a request: its upstream and endpoint, and the keys that were sent.
type sent struct {
	upstream *Upstream
	endpoint *Endpoint
	keys     []key
	renewed  map[*Upstream]bool
	// made is the number of attempts so far.
	made int
}

func (s *sent) with(u *Upstream, e *Endpoint, keys []key) {
	s.upstream, s.endpoint, s.keys = u, e, keys
	s.made++
}

// again reports whether the upstream refused a key that has been rotated since, so that it may be asked once more with the new
// one. A request that was answered with 401 was not carried out (RFC 9110, section 15.5.2); one that was answered with 403 may
// have been.
func (s *sent) again(p *Plan, after relay.Failure) bool {
	if !unauthorized(after) || s.upstream == nil || s.renewed[s.upstream] || p.Once && after.Status != http.StatusUnauthorized {
		return false
	}
	if !s.upstream.credentials.renewed(s.keys) {
		return false
	}
	if s.renewed == nil {
		s.renewed = map[*Upstream]bool{}
	}
	s.renewed[s.upstream] = true
	return true
}

// renewed reports whether one of the keys has changed.
func (c *Credentials) renewed(keys []key) bool {
	for _, k := range keys {
		if value, err := c.within(k.path, refusedTTL); err == nil && value != k.value {
			return true
		}
	}
	return false
}

// judged records how a call that carried keys has ended.
func (c *Credentials) judged(upstream string, keys []key, f relay.Failure, now time.Time) {
	for _, k := range keys {
		c.settle(keyed{upstream, k.path}, k.value, f, now)
	}
}
