package upstream

import (
	"net/url"
	"strings"
	"sync"
)

// location is what a URL says of a call over HTTP/1.1.
type location struct {
	https bool
	// host is the URL's, with its port if it has one, and target the path with the query (RFC 9112, section 3.2.1).
	host, target string
	known        bool // it is one that http1 can call
}

// maxLocations bounds the URLs that are remembered, and longestLocation their lengths, in bytes.
const maxLocations, longestLocation = 1024, 256

// locations parses URLs, and remembers them: most calls are for one of a few. The zero value is ready to use.
type locations struct {
	mu  sync.Mutex
	all map[string]location
}

// of parses a URL. One with a query is not remembered, because a key may be in it.
func (l *locations) of(raw string) location {
	if len(raw) > longestLocation || strings.Contains(raw, "?") {
		return locate(raw)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at, parsed := l.all[raw]
	if parsed {
		return at
	}
	if l.all == nil || len(l.all) >= maxLocations {
		l.all = map[string]location{}
	}
	at = locate(raw)
	l.all[raw] = at
	return at
}

func locate(raw string) location {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Contains(u.Host, "%") {
		return location{}
	}
	return location{https: u.Scheme == "https", host: u.Host, target: u.RequestURI(), known: true}
}
