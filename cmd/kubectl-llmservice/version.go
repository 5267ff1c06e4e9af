package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/llmservice/llmservice/controllers/render"
)

// operators selects the Deployments of operators, as the chart and the kustomization label them.
const operators = render.LabelName + "=llmservice," + render.LabelComponent + "=manager"

// versionDeadline is how long the cluster is asked: the version is wanted most where something does not work.
const versionDeadline = 10 * time.Second

// version prints which versions talk to each other.
type version struct {
	cluster

	client   bool
	output   string
	out, err io.Writer
}

func versionCommand() *cobra.Command {
	v := &version{}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of this plugin, and of the operator and the gateways in the cluster",
		Long: `Print the version of this plugin, and the images of the operator and of the gateways in a namespace. Parts of the
cluster that cannot be read are reported, and are not an error.`,
		Example: `  kubectl llmservice version --client
  kubectl llmservice version -n team-a -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v.out, v.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return v.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&v.client, "client", false, "do not ask the cluster")
	outputFlag(cmd, &v.output, "text", "json")
	v.addFlags(cmd.Flags())
	return cmd
}

// versions are what version prints.
type versions struct {
	Client build `json:"client"`
	// Operators and Gateways have the images, each with how many Deployments have it; nil if the cluster was not asked.
	Operators map[string]int `json:"operators,omitzero"`
	Gateways  map[string]int `json:"gateways,omitzero"`
	// Namespace is that of the gateways.
	Namespace string `json:"namespace,omitzero"`
}

// build is how a program was built.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitzero"`
	Go       string `json:"go"`
}

// clientVersion is what the Go toolchain has put into the binary.
func clientVersion() build {
	b := build{Version: "(devel)", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

func (v *version) run(ctx context.Context) error {
	if err := oneOf("output", v.output, "text", "json"); err != nil {
		return err
	}
	all := versions{Client: clientVersion()}
	if !v.client {
		ctx, cancel := context.WithTimeout(ctx, versionDeadline)
		defer cancel()
		for _, err := range v.ask(ctx, &all) {
			fmt.Fprintln(v.err, "Not read:", err)
		}
	}
	if v.output == "json" {
		return printJSON(v.out, all)
	}
	return all.print(v.out)
}

// ask reads the images of the cluster; what cannot be read is in the errors.
func (v *version) ask(ctx context.Context, all *versions) []error {
	settings, err := v.connect()
	if err != nil {
		return []error{err}
	}
	client, err := kubernetes.NewForConfig(settings)
	if err != nil {
		return []error{fmt.Errorf("build client: %w", err)}
	}
	var errs []error
	if all.Operators, err = images(ctx, client, metav1.NamespaceAll, operators); err != nil {
		errs = append(errs, fmt.Errorf("the operator: %w", err))
	}
	all.Namespace = v.namespace
	if all.Gateways, err = images(ctx, client, v.namespace, render.LabelName+"="+render.GatewayName); err != nil {
		errs = append(errs, fmt.Errorf("the gateways: %w", err))
	}
	return errs
}

// images counts the Deployments by the image of the container that is the program itself.
func images(ctx context.Context, client kubernetes.Interface, namespace, selector string) (map[string]int, error) {
	counts := map[string]int{}
	options := metav1.ListOptions{LabelSelector: selector, Limit: podsPerPage}
	for {
		page, err := client.AppsV1().Deployments(namespace).List(ctx, options)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			counts[imageOf(&page.Items[i])]++
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return counts, nil
		}
	}
}

func imageOf(d *appsv1.Deployment) string {
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == render.ContainerName || c.Name == "manager" {
			return c.Image
		}
	}
	return "(unknown)"
}

func (v *versions) print(out io.Writer) error {
	t := newTable(out)
	t.row("Client", v.Client.Version, v.Client.Revision, v.Client.Go)
	if v.Operators != nil {
		t.images("Operator", v.Operators, "in the cluster")
	}
	if v.Gateways != nil {
		t.images("Gateways", v.Gateways, "in namespace "+v.Namespace)
	}
	return t.Flush()
}

func (t table) images(name string, counts map[string]int, where string) {
	if len(counts) == 0 {
		t.row(name, "none "+where)
	}
	for _, image := range slices.Sorted(maps.Keys(counts)) {
		t.row(name, image, count(counts[image], "Deployment")+" "+where)
	}
}
