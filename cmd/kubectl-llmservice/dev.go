package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// dev serves a manifest on this machine, with the gateway that a cluster would run.
type dev struct {
	file, listen, adminListen, secretsDir, filesDir string
	endpoints                                       map[string]string
	level                                           slog.Level
	out                                             io.Writer
	configDir                                       string
}

const devLong = `Serve an LLMService on this machine, without a cluster: the same gateway, reloaded on every save.

The manifest is checked and its defaults are set as an API server would. If you save
a mistake, it is reported with its line and column, and the last good manifest stays in service. Values
that YAML reads differently from what they look like, such as no, are reported, too. A Secret is a
directory below --secrets-dir, with a file for each key. Files that upstreams name by a path are below
--files-dir: /mnt/keys/openai is files/mnt/keys/openai. Missing files are listed.`

func devCommand() *cobra.Command {
	d := &dev{}
	level := "warn"
	cmd := &cobra.Command{
		Use:     "dev -f FILE",
		Short:   "Serve a manifest on this machine, with reload on save",
		Long:    devLong,
		Example: "  kubectl llmservice dev -f assistant.yaml --endpoint fast=http://127.0.0.1:8000/v1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := d.level.UnmarshalText([]byte(level)); err != nil {
				return fmt.Errorf("--log-level: %w", err)
			}
			d.out = cmd.OutOrStdout()
			return d.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&d.file, "filename", "f", "", "manifest with an LLMService")
	flags.StringVar(&d.listen, "listen", "127.0.0.1:8080", "address of the API")
	flags.StringVar(&d.adminListen, "admin-listen", "127.0.0.1:9090", "address of probes, status and metrics")
	flags.StringVar(&d.secretsDir, "secrets-dir", "secrets", "directory with a directory for each Secret")
	flags.StringVar(&d.filesDir, "files-dir", "files", "directory below which the files of upstreams are; / for the files themselves")
	flags.StringToStringVar(&d.endpoints, "endpoint", nil, "NAME=URL calls the upstream NAME at URL instead of its endpoints")
	flags.StringVar(&level, "log-level", level, "lowest level that is logged: debug, info, warn or error")
	requireFile(cmd)
	return cmd
}

func (d *dev) run(ctx context.Context) error {
	read, err := load(ctx, d.file, d.replaceEndpoints)
	if err != nil {
		return err
	}
	service, encoded := read.manifest.Service, read.encoded
	dir, err := os.MkdirTemp("", "llmservice-dev-")
	if err != nil {
		return fmt.Errorf("make a directory for the config: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // of no use to anyone, and in the way of no one
	d.configDir = dir
	if err := d.deliver(encoded); err != nil {
		return err
	}
	g, err := d.gateway(service)
	if err != nil {
		return err
	}
	var listeners net.ListenConfig
	api, err := listeners.Listen(ctx, "tcp", d.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	admin, err := listeners.Listen(ctx, "tcp", d.adminListen)
	if err != nil {
		return errors.Join(fmt.Errorf("--admin-listen: %w", err), api.Close())
	}
	d.welcome(service, api.Addr(), admin.Addr())
	d.warn(read)
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return d.watch(ctx) })
	parts.Go(func() error { return d.watchUpstreams(ctx, g.Status) })
	parts.Go(func() error { return g.Run(ctx, api, admin) })
	return parts.Wait()
}

func (d *dev) gateway(service *v1alpha1.LLMService) (*gateway.Gateway, error) {
	maxStream, err := service.Spec.Runtime.MaxStreamDuration.Parse()
	if err != nil {
		return nil, fmt.Errorf("spec.runtime.maxStreamDuration: %w", err)
	}
	return gateway.New(gateway.Options{
		ConfigDir: d.configDir, SecretsDir: d.secretsDir, FilesDir: d.filesDir, Workers: goruntime.NumCPU(), MaxStreamDuration: maxStream,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: d.level})),
	})
}

// load reads a manifest as an API server would, and makes the valid config of it, which is then adjusted.
func load(ctx context.Context, file string, adjust func(*config.Config) error) (*loaded, error) {
	raw, err := readFile(file)
	if err != nil {
		return nil, err
	}
	read, err := manifest.Read(ctx, raw)
	if err != nil {
		return nil, manifest.InFile(file, err)
	}
	service, err := compile(ctx, read, adjust)
	if err != nil {
		return nil, manifest.InFile(file, err)
	}
	return service, nil
}

func (d *dev) replaceEndpoints(c *config.Config) error {
	left := maps.Clone(d.endpoints)
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		if at, ok := left[u.Name]; ok {
			if _, err := url.ParseRequestURI(at); err != nil {
				return fmt.Errorf("--endpoint %s: %w", u.Name, err)
			}
			u.Endpoints = []config.Endpoint{{URL: at}}
			delete(left, u.Name)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("--endpoint: there is no upstream %s", strings.Join(slices.Sorted(maps.Keys(left)), ", "))
	}
	return nil
}

// warn prints what is served, but perhaps differs from what the author means.
func (d *dev) warn(read *loaded) {
	for _, warning := range warnings(d.file, read.manifest) {
		d.sayf("%v", warning)
	}
	d.warnOfSecrets(read.config)
}

// warnOfSecrets prints each file that upstreams need and the gateway cannot use.
func (d *dev) warnOfSecrets(c *config.Config) {
	files := upstream.NewCredentials(d.secretsDir, d.filesDir)
	var inPEM []config.SecretFile
	for i := range c.Upstreams {
		inPEM = append(inPEM, c.Upstreams[i].TLS.Files()...)
	}
	for _, file := range c.SecretFiles() {
		var err error
		if slices.Contains(inPEM, file) {
			err = files.CheckPEM(file.Path())
		} else {
			_, err = files.Read(file.Path())
		}
		if err != nil {
			d.sayf("below %s: %v; calls that need it fail", d.dirOf(file), err)
		}
	}
}

func (d *dev) dirOf(file config.SecretFile) string {
	if file.Secret == "" {
		return d.filesDir
	}
	return d.secretsDir
}

// deliver replaces the config in one step, so that the gateway never reads half of one.
func (d *dev) deliver(encoded []byte) error {
	next := filepath.Join(d.configDir, "next")
	if err := os.WriteFile(next, encoded, 0o600); err != nil {
		return fmt.Errorf("deliver the config: %w", err)
	}
	if err := os.Rename(next, filepath.Join(d.configDir, delivery.CurrentKey)); err != nil {
		return fmt.Errorf("deliver the config: %w", err)
	}
	return nil
}

// settle is how long a file must be left alone after a save: editors write in several steps.
const settle = 100 * time.Millisecond

// watch delivers the manifest anew after every save. Editors replace files, so the directory is watched.
func (d *dev) watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the manifest: %w", err)
	}
	defer func() { _ = watcher.Close() }() // it fails only if it is closed already
	if err := watcher.Add(filepath.Dir(d.file)); err != nil {
		return fmt.Errorf("watch the manifest: %w", err)
	}
	saved := time.NewTimer(0) // a save since the first reading would have gone unnoticed
	defer saved.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			if filepath.Base(event.Name) == filepath.Base(d.file) {
				saved.Reset(settle)
			}
		case err := <-watcher.Errors:
			d.sayf("watching the manifest: %v", err)
		case <-saved.C:
			d.reload(ctx)
		}
	}
}

func (d *dev) reload(ctx context.Context) {
	read, err := load(ctx, d.file, d.replaceEndpoints)
	if err == nil {
		var served []byte
		served, err = os.ReadFile(filepath.Join(d.configDir, delivery.CurrentKey))
		if err == nil && bytes.Equal(served, read.encoded) {
			return
		}
		err = d.deliver(read.encoded)
	}
	if err != nil {
		d.sayf("not reloaded, still serving the last good manifest:\n%v", err)
		return
	}
	d.sayf("reloaded, revision %s", delivery.Revision(read.encoded))
	d.warn(read)
}

func (d *dev) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format+"\n", args...) // there is no one left to report it to
}

func (d *dev) welcome(service *v1alpha1.LLMService, api, admin net.Addr) {
	d.sayf("%s is served at http://%s", service.Name, api)
	for _, r := range service.Spec.Routes {
		d.sayf("  %-6s http://%s%s  %s", r.Method, api, r.Path, r.Summary)
	}
	if len(service.Spec.Models) > 0 {
		d.sayf("  OpenAI http://%s/v1", api)
	}
	d.sayf("  docs   http://%s/docs", api)
	d.sayf("  status http://%s%s", admin, report.StatusPath)
	d.sayf("reloading on every save of %s; Ctrl-C ends", d.file)
}
