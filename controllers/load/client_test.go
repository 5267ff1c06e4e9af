package load

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/runtime/config/report"
)

func TestFetch(t *testing.T) {
	tests := []struct {
		name    string
		answer  http.HandlerFunc
		want    report.Status
		wantErr string
	}{
		{
			name:   "a status, with members of a later release",
			answer: reply(`{"version":"v1","revision":"r1","inFlight":3,"streams":{"open":2,"paused":1},"future":{}}`),
			want:   report.Status{Version: "v1", Revision: "r1", InFlight: 3, Streams: report.Streams{Open: 2}},
		},
		{name: "not found", answer: http.NotFound, wantErr: "HTTP 404, want 200"},
		{name: "not JSON", answer: reply("<html>"), wantErr: "status of pod team-a/a"},
		{name: "too long", answer: reply(`{"revision":"` + strings.Repeat("x", 2*maxStatusBytes) + `"}`), wantErr: "more than 65536 bytes"},
		{name: "too many secrets", answer: reply(`{"secrets":[` + strings.Repeat("{},", maxSecrets) + `{}]}`), wantErr: "513 secrets and 0 refused keys, want at most 512"},
		{name: "too many refusals", answer: reply(`{"refusedKeys":[` + strings.Repeat("{},", maxSecrets) + `{}]}`), wantErr: "0 secrets and 513 refused keys"},
		{
			name:   "a long rejection is cut short",
			answer: reply(`{"rejected":{"message":"` + strings.Repeat("x", 2*maxRejection) + `"}}`),
			want:   report.Status{Rejected: &report.RejectedConfig{Message: strings.Repeat("x", maxRejection) + " …"}},
		},
		{
			name: "a long head",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X", strings.Repeat("x", 4*maxHeaderBytes))
			},
			wantErr: "headers exceeded",
		},
		{
			name: "a redirect is not followed",
			answer: func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
			},
			wantErr: "HTTP 302, want 200",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			client := newStatusClient(func(*corev1.Pod) string { return server.Listener.Addr().String() })
			defer client.close()
			got, err := client.fetch(t.Context(), gatewayPod("a", running("1")))
			if (err != nil) != (tt.wantErr != "") || (err != nil && !strings.Contains(err.Error(), tt.wantErr)) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

func reply(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != report.StatusPath {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(body))
	}
}

// A pod without an IPv4 address is read at its IPv6 address.
func TestFetchOverIPv6(t *testing.T) {
	pod := gatewayPod("a", running("1"))
	pod.Status.PodIP = "fd00::1"
	if got := PodAddress(pod); got != "[fd00::1]:9090" {
		t.Errorf("its admin listener is at %s", got)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(reply(`{"version":"v1"}`))
	_ = server.Listener.Close() // the one on IPv4
	server.Listener = l
	server.Start()
	defer server.Close()
	client := newStatusClient(func(*corev1.Pod) string { return l.Addr().String() })
	defer client.close()
	if got, err := client.fetch(t.Context(), pod); err != nil || got.Version != "v1" {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestFetchKeepsItsConnection(t *testing.T) {
	connections := make(chan struct{}, 10)
	server := httptest.NewUnstartedServer(reply(`{"version":"v1"}`))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	client := newStatusClient(func(*corev1.Pod) string { return server.Listener.Addr().String() })
	defer client.close()
	for range 3 {
		if _, err := client.fetch(t.Context(), gatewayPod("a", running("1"))); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(connections); got != 1 {
		t.Errorf("%d connections for 3 polls, want 1", got)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client := newStatusClient(func(*corev1.Pod) string { return listener.Addr().String() })
	defer client.close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := client.fetch(ctx, gatewayPod("a", running("1"))); err == nil {
		t.Error("no error from a pod that never answers")
	}
}

func TestPodAddress(t *testing.T) {
	for ip, want := range map[string]string{"10.0.0.1": "10.0.0.1:9090", "fd00::1": "[fd00::1]:9090"} {
		if got := PodAddress(&corev1.Pod{Status: corev1.PodStatus{PodIP: ip}}); got != want {
			t.Errorf("PodAddress(%s) = %s, want %s", ip, got, want)
		}
	}
}
