// Command mockllm serves the scripted upstream of package mockllm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/llmservice/llmservice/test/mockllm"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mockllm:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	listen       string
	apiKeyFile   string
	models       string
	tokens       int
	tokenDelay   time.Duration
	firstDelay   time.Duration
	drainTimeout time.Duration
}

func parse(args []string, output io.Writer) (settings, error) {
	var s settings
	fs := flag.NewFlagSet("mockllm", flag.ContinueOnError)
	fs.SetOutput(output)
	fs.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	fs.StringVar(&s.apiKeyFile, "api-key-file", "", "`file` with the Bearer key that /v1 requires (default: none is)")
	fs.StringVar(&s.models, "models", "", "comma-separated `names` of the models (default: answer to any)")
	fs.IntVar(&s.tokens, "tokens", 0, "tokens of a reply whose script does not say (default 16)")
	fs.DurationVar(&s.tokenDelay, "token-delay", 0, "time between two tokens")
	fs.DurationVar(&s.firstDelay, "first-token-delay", 0, "time before the first token")
	fs.DurationVar(&s.drainTimeout, "drain-timeout", 5*time.Second, "how long open replies may go on after SIGTERM")
	if err := fs.Parse(args); err != nil {
		return settings{}, err
	}
	if fs.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q, only flags are allowed", fs.Arg(0))
	}
	return s, nil
}

func (s settings) options() (mockllm.Options, error) {
	o := mockllm.Options{Defaults: mockllm.Script{
		Tokens: s.tokens, TokenDelay: mockllm.Duration(s.tokenDelay), FirstTokenDelay: mockllm.Duration(s.firstDelay),
	}}
	if s.models != "" {
		o.Models = strings.Split(s.models, ",")
	}
	if s.apiKeyFile != "" {
		key, err := os.ReadFile(s.apiKeyFile)
		if err != nil {
			return o, fmt.Errorf("read API key: %w", err)
		}
		if o.APIKey = strings.TrimSpace(string(key)); o.APIKey == "" {
			return o, fmt.Errorf("read API key: %s is empty", s.apiKeyFile)
		}
	}
	return o, o.Defaults.Validate()
}

// run serves until ctx ends and then drains. With the argument sidecar first, it is one instead.
func run(ctx context.Context, args []string, output io.Writer) error {
	if len(args) > 0 && args[0] == "sidecar" {
		return runSidecar(ctx, args[1:], output)
	}
	s, err := parse(args, output)
	if err != nil {
		return err
	}
	o, err := s.options()
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(output, "mockllm listens on http://%s\n", l.Addr())
	mock := mockllm.New(o)
	server := &http.Server{Handler: mock, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		mock.Close()
		return err
	case <-ctx.Done():
	}
	return drain(context.WithoutCancel(ctx), server, mock, s.drainTimeout, failed)
}

// drain lets open replies end in time, and ends those that do not.
func drain(
	ctx context.Context, server *http.Server, mock *mockllm.Server, timeout time.Duration, failed <-chan error,
) error {
	deadline, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := server.Shutdown(deadline)
	mock.Close()
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		return errors.Join(err, served)
	}
	return err
}
