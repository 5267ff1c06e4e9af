package scenario

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
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
// until the operator is ready: which it is once the other's silence has lasted long enough.
func (c *Cluster) InstallAs(ctx context.Context, release string) (time.Duration, error) {
	begun := time.Now()
	args := []string{
		"install", release, filepath.Join(c.Root, Chart), "--take-ownership",
		"--namespace", OperatorNamespace, "--wait", "--timeout", TakenOverWithin.String(),
	}
	err := helm(ctx, append(args, imageArgs(c.Images.Manager, c.Images.Gateway)...)...)
	return time.Since(begun), err
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
