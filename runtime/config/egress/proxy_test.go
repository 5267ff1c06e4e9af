package egress

import (
	"strings"
	"testing"
)

func TestChooser(t *testing.T) {
	p := Proxy{Server: "http://proxy.example.com:3128", Except: ".svc, example.org,10.0.0.0/8,203.0.113.7,port.example.net:8443"}
	const proxy = "proxy.example.com:3128"
	for host, want := range map[string]string{
		"api.example.com:443": proxy, "vllm.models.svc:443": "", "svc:443": proxy, "example.org:443": "", "a.example.org:443": "",
		"an-example.org:443": proxy, "10.9.8.7:443": "", "11.9.8.7:443": proxy, "203.0.113.7:443": "", "[2001:db8::1]:443": proxy,
		"port.example.net:8443": "", "port.example.net:443": proxy, "127.0.0.1:443": "", "localhost:8443": "", "[::1]:443": "",
	} {
		if got := p.Chooser()(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	if got := (Proxy{Except: ".svc"}).Chooser()("api.example.com:443"); got != "" {
		t.Errorf("without a proxy: %q", got)
	}
}

func TestServers(t *testing.T) {
	for text, want := range map[string]string{
		"http://proxy:3128": "proxy:3128", "http://10.0.0.1:8080/": "10.0.0.1:8080", "http://proxy.example.com": "proxy.example.com:80",
		"http://[fd00::1]:3128": "[fd00::1]:3128", "http://[fd00::1]": "[fd00::1]:80",
	} {
		var s Server
		if err := s.UnmarshalText([]byte(text)); err != nil || s.Address() != want {
			t.Errorf("%s: %s, %v; want %s", text, s.Address(), err, want)
		}
	}
	for _, text := range []string{
		"proxy:3128", "https://proxy:3128", "socks5://proxy:1080", "http://", "http://proxy:x", "http://proxy/path", "http://proxy?q", "http://u:canary@proxy:3128",
	} {
		var s Server
		if err := s.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "want ") || strings.Contains(err.Error(), "canary") || s != "" {
			t.Errorf("%s: %q, %v", text, s, err)
		}
	}
}

func TestExceptions(t *testing.T) {
	for _, text := range []string{"", "*", ".svc,.cluster.local", "a.example.com:443, 10.0.0.0/8,fd00::/8", "2001:db8::1"} {
		var e Exceptions
		if err := e.UnmarshalText([]byte(text)); err != nil || string(e) != text {
			t.Errorf("%q: %q, %v", text, e, err)
		}
	}
	for _, text := range []string{"a b", "https://a", "10.0.0.0/33", "*.example.com"} {
		var e Exceptions
		if err := e.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
