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
)

// sidecarWith runs a sidecar until the test ends, and returns what it says at first, line by line.
func sidecarWith(t *testing.T, lines int, args ...string) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, append([]string{"sidecar"}, args...), w) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	said, reader := make([]string, lines), bufio.NewReader(r)
	for i := range said {
		line, err := reader.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		said[i] = strings.TrimSpace(line)
	}
	return said
}

func TestSidecarReplacesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	said := sidecarWith(t, 1, "-files", "127.0.0.1:0", "-file", path, "-content", "old")
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Fatalf("the file has %q, %v", got, err)
	}
	_, address, _ := strings.Cut(said[0], " on ")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, strings.NewReader("new"))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" || resp.StatusCode != http.StatusOK {
		t.Errorf("%s; the file has %q, %v", resp.Status, got, err)
	}
}

func TestSidecarRelays(t *testing.T) {
	url, stop := serve(t)
	said := sidecarWith(t, 1, "-relay", "127.0.0.1:0", "-to", strings.TrimPrefix(url, "http://"))
	_, address, _ := strings.Cut(said[0], " from ")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp := chat(t, client, "http://"+address, "", `{"tokens":2}`)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "[DONE]") {
		t.Errorf("through the sidecar: %q, %v", body, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestSidecarRefusesItsFlags(t *testing.T) {
	for _, args := range [][]string{{}, {"-files", ":0"}, {"-relay", ":0", "-file", "x"}} {
		if err := run(t.Context(), append([]string{"sidecar"}, args...), io.Discard); err == nil {
			t.Errorf("%v is no error", args)
		}
	}
}
