package config

import "net/url"

// What the host of an endpoint stands for.
const (
	// ResolutionHost makes the host one endpoint, whichever of its addresses a connection is made to.
	ResolutionHost = "Host"
	// ResolutionEachAddress makes each address of the host an endpoint.
	ResolutionEachAddress = "EachAddress"
)

// Resolutions are all of them.
func Resolutions() []string { return []string{ResolutionHost, ResolutionEachAddress} }

// AddressesAsked is how many addresses of one host a request asks, unless the upstream's retries say otherwise.
const AddressesAsked = 3

// Asked is how many endpoints of the upstream a request asks at most, unless its retries say otherwise.
func (u *Upstream) Asked() (n int) {
	for i := range u.Endpoints {
		if n++; u.Endpoints[i].SpreadHost() != "" {
			n += AddressesAsked - 1
		}
	}
	return n
}

// SpreadHost is the host of which each address is an endpoint; empty where the host is one endpoint.
func (e *Endpoint) SpreadHost() string {
	if e.Resolution != ResolutionEachAddress {
		return ""
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		return "" // Validate refuses it
	}
	return u.Hostname()
}
