package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/test/transcript"
)

// page is docs/following-one-request.md.
type page struct {
	t    *testing.T
	text string
}

// block is the page's block number n, from 0, of a language.
func (p *page) block(language string, n int) string {
	p.t.Helper()
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(p.text, -1)
	if n >= len(found) {
		p.t.Fatalf("the page has %d blocks of %s", len(found), language)
	}
	return found[n][1]
}

// line is a block that shows a line of the log, without what differs from run to run.
func (p *page) line(n int) map[string]any { return steady(p.t, p.block("json", n)) }

func steady(t *testing.T, text string) map[string]any {
	t.Helper()
	line := map[string]any{}
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, name := range []string{"time", "revision", "seconds", "attemptSeconds", "endpoint"} {
		if _, has := line[name]; has {
			line[name] = "…"
		}
	}
	return line
}

// TestFollowingOneRequest does what the page says, and compares what it shows.
func TestFollowingOneRequest(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "following-one-request.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t, string(text)}
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer down.Close()
	at, logged := p.serve(p.block("yaml", 0), map[string]string{"big": down.URL + "/v1", "small": down.URL + "/v1"})
	resp := p.curl(at, p.block("sh", 0))
	shown := strings.Fields(strings.ReplaceAll(p.block("http", 0), "\n", " "))
	if want, got := strings.Join(shown[1:], " "), resp.Status+" X-Request-Id: "+resp.Header.Get(requestlog.IDHeader); got != want {
		t.Errorf("answered %q, want %q", got, want)
	}
	id := resp.Header.Get(requestlog.IDHeader)

	lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
	var ofRequest, stamped []string
	for _, line := range lines {
		stamped = append(stamped, time.Now().UTC().Format(time.RFC3339Nano)+" "+line)
		if strings.Contains(line, id) {
			ofRequest = append(ofRequest, line)
		}
	}
	kubeconfig := apiServer(t, map[string]string{
		"assistant-a": second + "1Z {\"msg\":\"of another replica\"}\n", "assistant-b": strings.Join(stamped, "\n") + "\n",
	}, nil)
	arguments := strings.Fields(p.block("sh", 1))[3:] // after kubectl llmservice logs
	out, _, err := printLogs(t, append(arguments, "--kubeconfig", kubeconfig)...)
	if err != nil {
		t.Fatal(err)
	}
	printed := strings.Split(strings.TrimSpace(strings.ReplaceAll(out, "[pod/assistant-b] ", "")), "\n")
	if diff := cmp.Diff(ofRequest, printed); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	if len(printed) != 3 {
		t.Fatalf("printed %q, want a line of each call and one of the request", printed)
	}
	if diff := cmp.Diff(p.line(1), steady(t, printed[1])); diff != "" {
		t.Errorf("the second call (-page +logged):\n%s", diff)
	}
	if diff := cmp.Diff(p.line(0), steady(t, printed[2])); diff != "" {
		t.Errorf("the request (-page +logged):\n%s", diff)
	}
	if strings.Contains(logged.String(), "parcel") {
		t.Errorf("a prompt is logged:\n%s", logged)
	}
}

// serve serves a manifest, with other endpoints, as the gateway of a pod does, and returns its address and its log.
func (p *page) serve(manifest string, endpoints map[string]string) (string, *transcript.Buffer) {
	p.t.Helper()
	file, logged := filepath.Join(p.t.TempDir(), "service.yaml"), &transcript.Buffer{}
	save(p.t, file, manifest)
	d := &dev{file: file, endpoints: endpoints, configDir: p.t.TempDir(), secretsDir: p.t.TempDir()}
	read, err := load(p.t.Context(), d.file, d.replaceEndpoints)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := d.deliver(read.encoded); err != nil {
		p.t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{
		ConfigDir: d.configDir, SecretsDir: d.secretsDir, Workers: 1, MaxStreamDuration: time.Minute,
		Logger: slog.New(slog.NewJSONHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			p.t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, listeners[0], listeners[1]) }()
	p.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			p.t.Error(err)
		}
	})
	for deadline := time.Now().Add(patience); g.Status().Revision == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatal("the gateway has loaded no config")
		}
	}
	return listeners[0].Addr().String(), logged
}

// curl sends what a command of the page sends, to another host.
func (p *page) curl(host, command string) *http.Response {
	p.t.Helper()
	to, err := url.Parse(regexp.MustCompile(`http://\S+`).FindString(command))
	if err != nil {
		p.t.Fatal(err)
	}
	to.Host = host
	body := regexp.MustCompile(`-d '(.*?)'`).FindStringSubmatch(command)
	req, err := http.NewRequest(http.MethodPost, to.String(), bytes.NewReader([]byte(body[1])))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, header := range regexp.MustCompile(`-H '(.*?): (.*?)'`).FindAllStringSubmatch(command, -1) {
		req.Header.Set(header[1], header[2])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// The page's fields and levels are those that there are.
func TestTheRestOfThePageAboutRequests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "following-one-request.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t, string(text)}
	d := &dev{file: filepath.Join(t.TempDir(), "service.yaml")}
	save(t, d.file, p.block("yaml", 0)+"  "+regexp.MustCompile("`(runtime: .*?)`").FindStringSubmatch(p.text)[1]+"\n")
	read, err := load(t.Context(), d.file, d.replaceEndpoints)
	if err != nil {
		t.Fatal(err)
	}
	if got := read.config.Runtime.RequestLog; got != config.RequestLogAll {
		t.Errorf("access logs are %q", got)
	}
	flags := logsCommand().Flags()
	_, rest, _ := strings.Cut(p.text, "## All replicas")
	for _, flag := range regexp.MustCompile("`--([a-z]+)[ `]").FindAllStringSubmatch(rest, -1) {
		if flags.Lookup(flag[1]) == nil {
			t.Errorf("there is no flag --%s", flag[1])
		}
	}
}
