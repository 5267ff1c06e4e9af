package admin_test

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/llmservice/llmservice/runtime/admin"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/needs"
)

var (
	since  = time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	secret = config.SecretFile{Secret: "named-secret", Key: "named-key"}
	file   = config.SecretFile{File: config.FileSource{Path: "/named/file"}}
	// named is a status with all that has names.
	named = report.Status{
		Version: config.Version, Revision: "9f2c", InFlight: 3,
		Secrets: []report.SecretState{
			{SecretFile: file, Problem: "permission denied"},
			{SecretFile: secret, Index: 1, Loaded: true, Modified: since, Since: since},
		},
		RefusedKeys: []report.RefusedKey{{Upstream: "named-upstream", UpstreamIndex: 2, SecretFile: secret, Index: 1, Since: since}},
		Upstreams: []report.Upstream{{
			Name: "named-upstream", Endpoints: 1,
			Unavailable: []report.Endpoint{{Host: "named-host", Address: "203.0.113.7", Condition: "Ejected"}},
		}},
	}
	// unnamed is the same for anyone from elsewhere.
	unnamed = report.Status{
		Version: config.Version, Revision: "9f2c", InFlight: 3,
		Secrets: []report.SecretState{
			{Problem: "permission denied"},
			{Index: 1, Loaded: true, Modified: since, Since: since},
		},
		RefusedKeys: []report.RefusedKey{{UpstreamIndex: 2, Index: 1, Since: since}},
	}
)

// Only a client within the pod gets the names of Secrets, files, upstreams and hosts.
func TestNamesAreForThePodItself(t *testing.T) {
	g := &gateway{registry: prometheus.NewRegistry(), status: named}
	port := startEverywhere(t, g.options())
	elsewhere, loopback := needs.Address(t), netip.MustParseAddr("127.0.0.1")
	for name, tc := range map[string]struct {
		from, to netip.Addr
		header   http.Header
		want     report.Status
	}{
		"from another address":          {from: elsewhere, to: elsewhere, want: unnamed},
		"from loopback":                 {from: loopback, to: loopback, want: named},
		"of IPv6":                       {from: netip.IPv6Loopback(), to: netip.IPv6Loopback(), want: named},
		"through Istio's proxy":         {from: netip.MustParseAddr("127.0.0.6"), to: elsewhere, want: unnamed},
		"through a proxy that says so":  {from: loopback, to: loopback, header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}, want: unnamed},
		"through one of RFC 7239":       {from: loopback, to: loopback, header: http.Header{"Forwarded": {"for=192.0.2.1"}}, want: unnamed},
		"a proxy that adds itself only": {from: loopback, to: loopback, header: http.Header{"Via": {"1.1 proxy"}}, want: unnamed},
		"a client that says otherwise": {
			from: elsewhere, to: elsewhere, header: http.Header{"Host": {"localhost"}, "X-Real-Ip": {"127.0.0.1"}}, want: unnamed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := statusAt(t, tc.from, netip.AddrPortFrom(tc.to, port), tc.header)
			var got report.Status
			if err := json.Unmarshal([]byte(body), &got, json.RejectUnknownMembers(true)); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			for _, name := range []string{"named-", "/named", "203.0.113.7"} {
				if tc.want.Upstreams == nil && strings.Contains(body, name) {
					t.Errorf("a stranger gets %s", body)
				}
			}
		})
	}
	if named.Secrets[0].SecretFile != file || named.RefusedKeys[0].Upstream == "" {
		t.Error("the status itself has lost its names")
	}
}

// startEverywhere serves at all addresses of the machine, and returns the port.
func startEverywhere(t *testing.T, o admin.Options) uint16 {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, o, l)
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(port)
}

func statusAt(t *testing.T, from netip.Addr, to netip.AddrPort, header http.Header) string {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	transport := &http.Transport{DialContext: dialer.DialContext}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+to.String()+report.StatusPath, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host, req.Header = header.Get("Host"), header
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", resp.StatusCode, body, err)
	}
	return string(body)
}
