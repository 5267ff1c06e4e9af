package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
)

// diff shows what applying manifests would change of the objects that the operator makes of them.
type diff struct {
	cluster

	files, from []string
	recursive   bool
	output      string
	in          io.Reader
	out, err    io.Writer
}

const diffLong = `Show what applying manifests would do: whether the pods reload their config in place or are replaced, and which
fields of the Deployment, the ConfigMap and the other objects of an LLMService would change.

Each manifest is compared with the LLMService in the cluster, or with an older manifest (--from), without a cluster.
Both are rendered here, with the same settings of the operator, and nothing is written. Manifests are checked first, as
by validate. A manifest without replicas leaves the number in the cluster alone.

The exit code is 0 if nothing would change, 1 if something would, and 2 if the comparison could not be made.`

// clusterDeadline is how long one answer of the API server may take.
const clusterDeadline = 30 * time.Second

func diffCommand() *cobra.Command {
	d := &diff{}
	cmd := &cobra.Command{
		Use:   "diff -f FILE|DIRECTORY|- [--from FILE|DIRECTORY]",
		Short: "Show what applying manifests would change, and whether pods are replaced",
		Long:  diffLong,
		Example: `  kubectl llmservice diff -f assistant.yaml -n team-a
  git show main:assistant.yaml | kubectl llmservice diff -f assistant.yaml --from -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.in, d.out, d.err = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return d.run(cmd.Context())
		},
	}
	fileFlags(cmd, &d.files, &d.recursive)
	const from = "older manifest or directory to compare with, instead of the cluster; - for the standard input"
	cmd.Flags().StringSliceVar(&d.from, "from", nil, from)
	outputFlag(cmd, &d.output, "text", "json")
	d.addFlags(cmd.Flags())
	return cmd
}

// older returns the service that a new one replaces; nil if there is none.
type older func(ctx context.Context, key types.NamespacedName) (*v1alpha1.LLMService, error)

func (d *diff) run(ctx context.Context) error {
	if err := oneOf("output", d.output, "text", "json"); err != nil {
		return err
	}
	find, err := d.older(ctx)
	if err != nil {
		return err
	}
	services, err := d.read(ctx, d.files)
	if err != nil {
		return err
	}
	var all []*difference
	changed := false
	for _, s := range services {
		one, err := d.compare(ctx, s, find)
		if err != nil {
			return err
		}
		all = append(all, one)
		changed = changed || one.Change != unchangedService
	}
	if err := d.print(all); err != nil {
		return err
	}
	if changed {
		return errFound
	}
	return nil
}

func (d *diff) print(all []*difference) error {
	if d.output == "json" {
		return printJSON(d.out, all)
	}
	for _, one := range all {
		if err := one.print(d.out); err != nil {
			return err
		}
	}
	return nil
}

// older reads what to compare with from the cluster or, with --from, from files. It settles the namespace.
func (d *diff) older(ctx context.Context) (older, error) {
	if len(d.from) == 0 {
		return d.inCluster()
	}
	d.explicit = d.namespace != ""
	if !d.explicit {
		d.namespace = metav1.NamespaceDefault
	}
	services, err := d.read(ctx, d.from)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	known := map[types.NamespacedName]*v1alpha1.LLMService{}
	for _, s := range services {
		known[keyOf(s.manifest.Service)] = s.manifest.Service
	}
	return func(_ context.Context, key types.NamespacedName) (*v1alpha1.LLMService, error) {
		return known[key], nil
	}, nil
}

// inCluster reads LLMServices from the API server.
func (d *diff) inCluster() (older, error) {
	settings, err := d.connect()
	if err != nil {
		return nil, err
	}
	settings.Timeout = clusterDeadline
	client, err := dynamic.NewForConfig(settings)
	if err != nil {
		return nil, fmt.Errorf("build client: %w", err)
	}
	resource := client.Resource(v1alpha1.GroupVersion.WithResource("llmservices"))
	return func(ctx context.Context, key types.NamespacedName) (*v1alpha1.LLMService, error) {
		object, err := resource.Namespace(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, nil //nolint:nilnil // which is what the type's comment says
		}
		if err != nil {
			return nil, fmt.Errorf("read LLMService %s: %w", key, err)
		}
		live := &v1alpha1.LLMService{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, live); err != nil {
			return nil, fmt.Errorf("read LLMService %s: %w", key, err)
		}
		return live, nil
	}, nil
}

// read reads manifests, and gives each service its namespace. What is wrong with them is printed.
func (d *diff) read(ctx context.Context, names []string) ([]*loaded, error) {
	files, err := readManifests(names, d.recursive, d.in)
	if err != nil {
		return nil, err
	}
	var all []*loaded
	wrong := 0
	for _, file := range files {
		services, found := readServices(ctx, file)
		for _, one := range found.Findings {
			fmt.Fprintln(d.err, one)
		}
		wrong += found.Errors
		all = append(all, services...)
	}
	if wrong > 0 {
		return nil, fmt.Errorf("the manifests have %s", count(wrong, "error"))
	}
	if len(all) == 0 {
		return nil, errNoService(names)
	}
	for _, s := range all {
		if err := d.place(s.manifest.Service); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// place gives a service the namespace that it is applied to.
func (d *diff) place(s *v1alpha1.LLMService) error {
	if s.Namespace == "" {
		s.Namespace = d.namespace
	}
	if d.explicit && s.Namespace != d.namespace {
		return fmt.Errorf("--namespace: is %s, but %s is in namespace %s", d.namespace, s.Name, s.Namespace)
	}
	return nil
}

// compare renders a service as it is and as it would be.
func (d *diff) compare(ctx context.Context, s *loaded, find older) (*difference, error) {
	next := s.manifest.Service
	before, err := find(ctx, keyOf(next))
	if err != nil {
		return nil, err
	}
	if before == nil {
		children, err := renderedOf(next, s.config)
		if err != nil {
			return nil, err
		}
		return differenceOf(next, nil, children), nil
	}
	d.warnOfRefusal(before)
	next.UID = before.UID
	if len(d.from) == 0 && !s.manifest.Has("spec.replicas") {
		next.Spec.Replicas = before.Spec.Replicas
	}
	contract, err := render.Contract(before)
	if err != nil {
		return nil, fmt.Errorf("LLMService %s as it is: %w", keyOf(next), err)
	}
	was, err := renderedOf(before, contract)
	if err != nil {
		return nil, err
	}
	children, err := renderedOf(next, s.config)
	if err != nil {
		return nil, err
	}
	return differenceOf(next, was, children), nil
}

// warnOfRefusal says why more may change than is shown.
func (d *diff) warnOfRefusal(live *v1alpha1.LLMService) {
	valid := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionConfigValid)
	if valid == nil || valid.Status != metav1.ConditionFalse {
		return
	}
	fmt.Fprintf(d.err, "%s: the spec in the cluster is refused, so its pods run an earlier one, and more may change: %s\n",
		keyOf(live), valid.Message)
}

// gatewayImage stands for the image that the operator uses for a service that names none.
const gatewayImage = "(the operator's default)"

// renderedOf are the children of a service, apart from what depends on the operator's own settings.
func renderedOf(s *v1alpha1.LLMService, contract *config.Config) ([]render.Child, error) {
	contract.Service.Namespace = s.Namespace
	encoded, err := config.Encode(contract)
	if err != nil {
		return nil, fmt.Errorf("LLMService %s: %w", keyOf(s), err)
	}
	in := render.Input{
		Service: s, Current: render.NewDocument(encoded, contract), Replicas: 1, Gateway: render.GatewaySettings{Image: gatewayImage},
	}
	if s.Spec.Replicas != nil {
		in.Replicas = *s.Spec.Replicas
	}
	children, err := render.Kinds().Children(in)
	if err != nil {
		return nil, fmt.Errorf("LLMService %s: %w", keyOf(s), err)
	}
	return children, nil
}

func keyOf(s *v1alpha1.LLMService) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}
