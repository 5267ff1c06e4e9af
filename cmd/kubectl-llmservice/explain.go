package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/bounds"
)

// explain prints what a route may take at worst.
type explain struct {
	file, output string
	out, err     io.Writer
}

const explainLong = `Show how long a request of a route may take at worst, how many calls to upstreams it may make, and how many
tokens models may write for it, with the fields that limit each of them; without ROUTE, for all routes.

The worst case is computed from the manifest alone: upstreams fail as slowly as their timeouts allow, at each
endpoint, in each turn and repair. Warnings name parts without a limit and fields without an effect.`

func explainCommand() *cobra.Command {
	e := &explain{}
	cmd := &cobra.Command{
		Use:   "explain -f FILE [ROUTE]",
		Short: "Show the worst case of a route: latency, calls and tokens",
		Long:  explainLong,
		Example: `  kubectl llmservice explain -f assistant.yaml
  kubectl llmservice explain -f assistant.yaml /answer
  kubectl llmservice explain -f assistant.yaml 'POST /answer' -o json`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e.out, e.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return e.run(cmd.Context(), strings.Join(args, " "))
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&e.file, "filename", "f", "", "manifest with an LLMService")
	outputFlag(cmd, &e.output, "text", "json")
	requireFile(cmd)
	return cmd
}

// explained is a route with its bounds. Paths are those below spec.
type explained struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Summary string `json:"summary,omitempty"`
	// MaxStreamDuration bounds a stream as a whole; 0 for whole answers. StreamBy is the field that sets it.
	MaxStreamDuration config.Duration `json:"maxStreamDuration,omitzero"`
	StreamBy          string          `json:"streamBy,omitempty"`
	bounds.Bounds
}

func (e *explain) run(ctx context.Context, route string) error {
	if err := oneOf("output", e.output, "text", "json"); err != nil {
		return err
	}
	read, err := load(ctx, e.file, unchanged)
	if err != nil {
		return err
	}
	for _, warning := range warnings(e.file, read.manifest) {
		if _, err := fmt.Fprintln(e.err, warning); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	service, contract := read.manifest.Service, read.config
	maxStream, err := service.Spec.Runtime.MaxStreamDuration.Parse()
	if err != nil {
		return fmt.Errorf("spec.runtime.maxStreamDuration: %w", err)
	}
	of := func(i int) *explained { return explainRoute(read, i, config.Duration(maxStream)) }
	if route == "" {
		all := make([]*explained, len(contract.Routes))
		for i := range contract.Routes {
			all[i] = of(i)
		}
		return e.print(all, func() error { return printRoutes(e.out, all) })
	}
	i, err := find(contract.Routes, route)
	if err != nil {
		return err
	}
	one := of(i)
	return e.print(one, func() error { return printRoute(e.out, one) })
}

func (e *explain) print(value any, text func() error) error {
	if e.output == "text" {
		return text()
	}
	return printJSON(e.out, value)
}

func explainRoute(of *loaded, i int, most config.Duration) *explained {
	r := &of.config.Routes[i]
	x := &explained{Method: r.Method, Path: r.Path, Summary: r.Summary, Bounds: bounds.Of(of.config, r, most)}
	if x.Streamed {
		x.limitStream(of.manifest, config.Item("routes", i), r, most)
	}
	return x
}

// limitStream says what bounds the stream as a whole, and warns of what it always ends before. A route that does not set its own
// duration has the replicas', which no config has: it rolls the pods.
func (x *explained) limitStream(m *manifest.Manifest, path string, r *config.Route, most config.Duration) {
	least := most // of the durations that have no effect
	x.StreamBy = "runtime.maxStreamDuration"
	if own := r.MaxStreamDuration; own > 0 {
		// A timeout as long as the stream is one that says the same.
		x.StreamBy, most, least = "maxStreamDuration", own, own+1
	}
	x.MaxStreamDuration = most
	for _, field := range []struct {
		path     string
		d, least config.Duration
	}{{".timeout", r.Timeout, least}, {".response.keepAlive", r.Response.KeepAlive, most}} {
		// A default is nothing that anybody has said.
		if at := path + field.path; field.d >= field.least && m.Has("spec."+at) {
			x.Warnings = append(x.Warnings, config.FieldErrorf(at,
				"is %s but has no effect: %s ends the stream after %s", brief(field.d), x.StreamBy, brief(most)))
		}
	}
}

// find returns the route with a path, or with a method and a path.
func find(routes []config.Route, name string) (int, error) {
	method, path, named := strings.Cut(name, " ")
	if !named {
		path = name
	}
	var found, all []string
	at := -1
	for i, r := range routes {
		full := r.Method + " " + r.Path
		all = append(all, full)
		if r.Path == path && (!named || strings.EqualFold(r.Method, method)) {
			found, at = append(found, full), i
		}
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("there is no route %q, but %s", name, orNone(all))
	case 1:
		return at, nil
	}
	return 0, fmt.Errorf("%q matches several routes, want one of %s", name, strings.Join(found, ", "))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none at all"
	}
	return strings.Join(names, ", ")
}
