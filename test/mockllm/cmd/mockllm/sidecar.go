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
	"path/filepath"
	"sync"
	"time"
)

const (
	// maxFile bounds a file that is sent.
	maxFile = 64 << 10
	// dialTimeout bounds the connection to what is relayed to.
	dialTimeout = 5 * time.Second
)

// sidecar stands in for what platforms put next to a gateway: a proxy through which connections pass, and an agent that writes a
// file. It ends as soon as it is told to, and cuts what passes through it then.
type sidecar struct{ relay, to, files, path, content string }

func parseSidecar(args []string, output io.Writer) (sidecar, error) {
	var s sidecar
	fs := flag.NewFlagSet("mockllm sidecar", flag.ContinueOnError)
	fs.SetOutput(output)
	fs.StringVar(&s.relay, "relay", "", "`address` whose connections are relayed (default: none are)")
	fs.StringVar(&s.to, "to", "127.0.0.1:8080", "`address` that they are relayed to")
	fs.StringVar(&s.files, "files", "", "`address` of an HTTP server that replaces the file by the body of a PUT (default: none)")
	fs.StringVar(&s.path, "file", "", "`path` of that file")
	fs.StringVar(&s.content, "content", "", "what the file has at first")
	if err := fs.Parse(args); err != nil {
		return sidecar{}, err
	}
	if s.relay == "" && s.files == "" {
		return sidecar{}, errors.New("nothing to do, want -relay or -files")
	}
	if (s.files == "") != (s.path == "") {
		return sidecar{}, errors.New("want both of -files and -file, or neither")
	}
	return s, nil
}

// runSidecar works until ctx ends.
func runSidecar(ctx context.Context, args []string, output io.Writer) error {
	s, err := parseSidecar(args, output)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts []func(context.Context) error
	if s.files != "" {
		if err := replace(s.path, []byte(s.content)); err != nil {
			return err
		}
		part, err := listen(ctx, output, "keeps a file on http://", s.files, s.keepFile)
		if err != nil {
			return err
		}
		parts = append(parts, part)
	}
	if s.relay != "" {
		part, err := listen(ctx, output, "relays from ", s.relay, s.relayAll)
		if err != nil {
			return err
		}
		parts = append(parts, part)
	}
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() {
			defer cancel()
			ended <- part(ctx)
		}()
	}
	for range parts {
		err = errors.Join(err, <-ended)
	}
	return err
}

// listen opens a listener, so that a line of the output means that it takes connections.
func listen(
	ctx context.Context, output io.Writer, what, address string, serve func(context.Context, net.Listener) error,
) (func(context.Context) error, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(output, "mockllm %s%s\n", what, l.Addr())
	return func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { _ = l.Close() })
		defer stop()
		if err := serve(ctx, l); ctx.Err() == nil {
			return err
		}
		return nil
	}, nil
}

// replace has readers see the old content or the new one.
func replace(path string, content []byte) error {
	next, err := os.CreateTemp(filepath.Dir(path), ".next-")
	if err != nil {
		return err
	}
	_, err = next.Write(content)
	err = errors.Join(err, next.Chmod(0o644), next.Close()) // another user's gateway reads it
	if err == nil {
		err = os.Rename(next.Name(), path)
	}
	return err
}

func (s sidecar) keepFile(ctx context.Context, l net.Listener) error {
	server := &http.Server{ReadHeaderTimeout: dialTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFile))
		if err == nil && r.Method == http.MethodPut {
			err = replace(s.path, content)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	return server.Serve(l)
}

func (s sidecar) relayAll(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		client, err := l.Accept()
		if err != nil {
			return err
		}
		open.Go(func() { s.relayOne(ctx, client) })
	}
}

// relayOne passes bytes both ways until either side is done, or ctx ends.
func (s sidecar) relayOne(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", s.to)
	if err != nil {
		return
	}
	defer server.Close()
	ended := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // either side may go at any time
		ended <- struct{}{}
	}
	go pass(server, client)
	go pass(client, server)
	left := 2
	select {
	case <-ended:
		left--
	case <-ctx.Done():
	}
	_, _ = client.Close(), server.Close()
	for range left {
		<-ended
	}
}
