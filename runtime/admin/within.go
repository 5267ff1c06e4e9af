package admin

import (
	"net"
	"net/http"
	"net/netip"
)

// fromWithin reports whether a request comes from the pod itself, as those of kubectl port-forward and kubectl exec do. Both ends
// of the connection have to be loopback: a proxy in the pod, such as Istio's, connects from a loopback address to the pod's own
// address when it forwards a request from elsewhere.
func fromWithin(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && isLoopback(local.String()) && isLoopback(r.RemoteAddr) && !isForwarded(r.Header)
}

func isLoopback(address string) bool {
	parsed, err := netip.ParseAddrPort(address)
	return err == nil && parsed.Addr().IsLoopback()
}

// isForwarded reports whether a proxy says that the request is another's.
func isForwarded(header http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "Via"} {
		if len(header[name]) > 0 {
			return true
		}
	}
	return false
}
