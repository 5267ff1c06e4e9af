package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the chart is installed as.
const (
	Release           = "llmservice"
	OperatorNamespace = "llmservice-system"
	// Chart is the chart's directory below the project's.
	Chart = "charts/llmservice"
)

// Install installs the chart with helm, or upgrades it, and waits until the operator is ready. settings are values
// beyond those of the images, as --set takes them.
func (c *Cluster) Install(ctx context.Context, settings ...string) (time.Duration, error) {
	return c.InstallChart(ctx, filepath.Join(c.Root, Chart), settings...)
}

// InstallChart is Install for a chart in another directory.
func (c *Cluster) InstallChart(ctx context.Context, dir string, settings ...string) (time.Duration, error) {
	return install(ctx, dir, c.Images.Manager, c.Images.Gateway, settings)
}

func install(ctx context.Context, chart, manager, gateway string, settings []string) (time.Duration, error) {
	begun := time.Now()
	args := []string{
		"upgrade", "--install", Release, chart,
		"--namespace", OperatorNamespace, "--create-namespace", "--wait", "--timeout", InstalledWithin.String(),
	}
	args = append(args, imageArgs(manager, gateway)...)
	for _, set := range settings {
		args = append(args, "--set", set)
	}
	err := helm(ctx, args...)
	return time.Since(begun), err
}

// InstallAs installs the chart under a name that is free, takes over what an uninstalled release of another name left, and waits
// until it leads: which it does once the other's silence has lasted long enough, since a leader may lose its rights before it can
// give up its Lease.
func (c *Cluster) InstallAs(ctx context.Context, release string) (time.Duration, error) {
	begun := time.Now()
	args := []string{
		"install", release, filepath.Join(c.Root, Chart), "--take-ownership",
		"--namespace", OperatorNamespace, "--wait", "--timeout", TakenOverWithin.String(),
	}
	if err := helm(ctx, append(args, imageArgs(c.Images.Manager, c.Images.Gateway)...)...); err != nil {
		return 0, err
	}
	_, err := Await(ctx, TakenOverWithin, "the operator leads", c.isLed)
	return time.Since(begun), err
}

// isLed fails unless one of the operator's pods holds the Lease.
func (c *Cluster) isLed(ctx context.Context) error {
	var lease coordinationv1.Lease
	if err := c.Get(ctx, client.ObjectKey{Namespace: OperatorNamespace, Name: "llmservice-manager"}, &lease); err != nil {
		return fmt.Errorf("get the operator's Lease: %w", err)
	}
	pods, err := c.OperatorPods(ctx)
	if err != nil {
		return err
	}
	for i := range pods {
		if lease.Spec.HolderIdentity != nil && strings.HasPrefix(*lease.Spec.HolderIdentity, pods[i].Name+"_") {
			return nil
		}
	}
	return errors.New("nobody who runs holds the operator's Lease")
}

// Rollback returns to the values and the chart before the last Install, and waits until the operator is ready.
func (c *Cluster) Rollback(ctx context.Context) error {
	return helm(ctx, "rollback", Release, "--namespace", OperatorNamespace, "--wait", "--timeout", InstalledWithin.String())
}

// Uninstall removes the chart; LLMServices and their kind stay.
func (c *Cluster) Uninstall(ctx context.Context) error { return c.UninstallOf(ctx, Release) }

// UninstallOf is Uninstall for what was installed under another name.
func (c *Cluster) UninstallOf(ctx context.Context, release string) error {
	return helm(ctx, "uninstall", release, "--namespace", OperatorNamespace, "--wait", "--timeout", GoneWithin.String())
}

// InstallRelease installs the chart and the images of an older release, or goes back to them.
func (c *Cluster) InstallRelease(ctx context.Context, r OlderRelease) (time.Duration, error) {
	return install(ctx, filepath.Join(c.Root, r.Dir, "chart"), r.Manager, r.Gateway, nil)
}

// imageArgs sets the two images. A tag is part of a hash, and helm's --set would read one of digits alone as a number.
func imageArgs(manager, gateway string) []string {
	var args []string
	for name, image := range map[string]string{"manager.image": manager, "gateway.image": gateway} {
		at := strings.LastIndex(image, ":")
		args = append(args, "--set-string", name+".repository="+image[:at]+","+name+".tag="+image[at+1:])
	}
	return args
}

// helm runs the helm that the cluster's other programs come with; inside the cluster's network it is first in PATH.
func helm(ctx context.Context, args ...string) error {
	var output bytes.Buffer
	command := exec.CommandContext(ctx, "helm", args...)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return fmt.Errorf("helm %s: %w: %s", args[0], err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}
