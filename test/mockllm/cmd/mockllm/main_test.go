package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs the program until stop, which returns its error.
func serve(t *testing.T, args ...string) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), w) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, url, ok := strings.Cut(strings.TrimSpace(line), "listens on ")
	if !ok {
		t.Fatalf("first line %q", line)
	}
	return url, func() error {
		cancel()
		return <-done
	}
}

func chat(t *testing.T, client *http.Client, url, key, script string) *http.Response {
	t.Helper()
	const body = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	url += "/v1/chat/completions"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-Mock-Script", script)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestFlags(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("sk-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, stop := serve(t, "-tokens", "3", "-token-delay", "1ms", "-first-token-delay", "1ms",
		"-api-key-file", keyFile, "-models", "m,n")
	transport := &http.Transport{}
	client := &http.Client{Transport: transport}
	resp := chat(t, client, url, "sk-1", "")
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if n := strings.Count(string(b), "token-"); err != nil || n != 3 {
		t.Errorf("%d tokens, want 3; %v, %q", n, err, b)
	}
	resp = chat(t, client, url, "wrong", "")
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d with a wrong key, want 401", resp.StatusCode)
	}
	transport.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestDrain(t *testing.T) {
	tests := map[string]struct {
		script string
		whole  bool
	}{
		"lets a reply finish":      {`{"tokens":20,"tokenDelay":"5ms"}`, true},
		"ends a reply that cannot": {`{"fault":"Silence"}`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			timeout := time.Minute
			if !tt.whole {
				timeout = 50 * time.Millisecond
			}
			url, stop := serve(t, "-drain-timeout", timeout.String())
			transport := &http.Transport{}
			client := &http.Client{Transport: transport}
			resp := chat(t, client, url, "", tt.script)
			defer resp.Body.Close()
			read := make(chan string, 1)
			go func() {
				b, _ := io.ReadAll(resp.Body)
				read <- string(b)
			}()
			if err := stop(); err != nil {
				t.Errorf("run: %v", err)
			}
			if body := <-read; strings.Contains(body, "[DONE]") != tt.whole {
				t.Errorf("got %q; complete should be %v", body, tt.whole)
			}
			transport.CloseIdleConnections()
		})
	}
}

func TestBadFlags(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		err  string
	}{
		"unknown flag":   {[]string{"-nope"}, "not defined"},
		"argument":       {[]string{"serve"}, `unexpected argument "serve"`},
		"tokens":         {[]string{"-tokens", "-1"}, "tokens is -1"},
		"key missing":    {[]string{"-api-key-file", empty + "x"}, "read API key"},
		"key empty":      {[]string{"-api-key-file", empty}, "is empty"},
		"listen address": {[]string{"-listen", "127.0.0.1:99999"}, "invalid port"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), tt.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
		})
	}
}
