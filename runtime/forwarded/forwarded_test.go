package forwarded

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// trusted are two networks, as a cluster and a load balancer have them.
var trusted = Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}

func TestTheClientIsTheFirstThatIsNotTrusted(t *testing.T) {
	for name, tt := range map[string]struct {
		proxies Proxies
		peer    string
		header  []string
		want    string
	}{
		"no proxies":                   {nil, "203.0.113.9", nil, "203.0.113.9"},
		"no proxies, a header":         {nil, "10.0.0.1", []string{"198.51.100.7"}, "10.0.0.1"},
		"no header":                    {trusted, "10.0.0.1", nil, "10.0.0.1"},
		"one proxy":                    {trusted, "10.0.0.1", []string{"198.51.100.7"}, "198.51.100.7"},
		"a header of the client's own": {trusted, "198.51.100.7", []string{"10.0.0.9, 203.0.113.1"}, "198.51.100.7"},
		"what the client has claimed":  {trusted, "10.0.0.1", []string{"203.0.113.1, 198.51.100.7"}, "198.51.100.7"},
		"two proxies":                  {trusted, "10.0.0.1", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"two lines":                    {trusted, "10.0.0.1", []string{"203.0.113.1", "198.51.100.7,10.0.0.2"}, "198.51.100.7"},
		"all are trusted":              {trusted, "10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"ports":                        {trusted, "10.0.0.1", []string{"198.51.100.7:4711, 10.0.0.2:80"}, "198.51.100.7"},
		"IPv6":                         {trusted, "2001:db8:1::1", []string{"2001:db8:2::7"}, "2001:db8:2::7"},
		"IPv6 with a port":             {trusted, "2001:db8:1::1", []string{"[2001:db8:2::7]:443"}, "2001:db8:2::7"},
		"IPv6 in brackets":             {trusted, "2001:db8:1::1", []string{"[2001:db8:2::7]"}, "2001:db8:2::7"},
		"IPv4 as IPv6":                 {trusted, "10.0.0.1", []string{"198.51.100.7, ::ffff:10.0.0.2"}, "198.51.100.7"},
		"a zone":                       {trusted, "10.0.0.1", []string{"fe80::1%eth0"}, "fe80::1"},
		"empty items":                  {trusted, "10.0.0.1", []string{"198.51.100.7, ,", ""}, "198.51.100.7"},
		"not an address":               {trusted, "10.0.0.1", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"not an address before one":    {trusted, "10.0.0.1", []string{"<script>, 10.0.0.2"}, "10.0.0.2"},
		"long":                         {trusted, "10.0.0.1", []string{strings.Repeat("1.2.3.4,", 8000) + "198.51.100.7"}, "198.51.100.7"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"X-Forwarded-For": tt.header}
			if got := tt.proxies.Client(netip.MustParseAddr(tt.peer), header); got != netip.MustParseAddr(tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	if got := trusted.Client(netip.Addr{}, http.Header{"X-Forwarded-For": {"198.51.100.7"}}); got.IsValid() {
		t.Errorf("%s of a connection that has no address", got)
	}
}

func TestOnlyTrustedProxiesSayTheScheme(t *testing.T) {
	for name, tt := range map[string]struct{ peer, said, want string }{
		"nothing said":     {"10.0.0.1", "", "http"},
		"https":            {"10.0.0.1", "https", "https"},
		"http":             {"10.0.0.1", "http", "http"},
		"a client's https": {"198.51.100.7", "https", "http"},
		"something else":   {"10.0.0.1", "javascript", "http"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"X-Forwarded-Proto": {tt.said}}
			if got := trusted.Scheme(netip.MustParseAddr(tt.peer), header); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
