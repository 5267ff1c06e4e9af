package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/llmservice/llmservice/test/scenario"
)

const (
	// existingEnv names the kubeconfig of a cluster to use instead of test/cluster's own.
	existingEnv = "LLMSERVICE_KUBECONFIG"
	// loadEnv is the command that brings an image into such a cluster. It gets an archive's path as its last
	// argument: "kind load image-archive", for example.
	loadEnv = "LLMSERVICE_LOAD_IMAGE"
)

// Cluster is test/cluster's program, built.
type Cluster struct {
	root, program string
	log           io.Writer
}

// BuildCluster builds test/cluster's program, which is quick, and not the Kubernetes that it runs.
func BuildCluster(ctx context.Context, root string, log io.Writer) (*Cluster, error) {
	c := &Cluster{root, filepath.Join(root, "build", "bin", "cluster"), log}
	return c, c.run(ctx, "go", "-C", filepath.Join(root, "test", "cluster"), "build", "-o", c.program, "./cmd/cluster")
}

// Up builds Kubernetes, unless that was done before, and starts it, unless it runs.
func (c *Cluster) Up(ctx context.Context) error {
	if err := c.run(ctx, c.program, "build"); err != nil {
		return err
	}
	return c.run(ctx, c.program, "up")
}

// Load brings the images of the programs into the cluster.
func (c *Cluster) Load(ctx context.Context, p Programs) (scenario.Images, error) {
	images := p.Images()
	for image, path := range map[string]string{
		images.Gateway: p.Gateway.Path, images.Next: p.Gateway.Path, images.Manager: p.Manager.Path, images.Mock: p.Mock.Path,
	} {
		if err := c.load(ctx, image, path); err != nil {
			return images, err
		}
	}
	return images, nil
}

func (c *Cluster) load(ctx context.Context, image, path string) error {
	if os.Getenv(existingEnv) == "" {
		return c.run(ctx, c.program, "load", image, path)
	}
	command := strings.Fields(os.Getenv(loadEnv))
	if len(command) == 0 {
		return fmt.Errorf("%s is set, and %s is not: set it to the command that brings an image archive into that "+
			"cluster, such as \"kind load image-archive\"", existingEnv, loadEnv)
	}
	archive := path + ".tar"
	if err := c.run(ctx, c.program, "image", image, path, "-o", archive); err != nil {
		return err
	}
	defer os.Remove(archive)
	return c.run(ctx, command[0], append(command[1:], archive)...)
}

// Enter replaces this process by one of the same program inside the cluster's network, with the same standard streams
// and with KUBECONFIG set. It returns only if that fails.
func (c *Cluster) Enter(images scenario.Images, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("enter the cluster's network: %w", err)
	}
	env, err := handOver(images)
	if err != nil {
		return err
	}
	argv := append([]string{c.program, "exec", "--", self}, args...)
	return fmt.Errorf("enter the cluster's network: %w", syscall.Exec(c.program, argv, append(os.Environ(), env)))
}

func (c *Cluster) run(ctx context.Context, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Stdout, command.Stderr = c.root, c.log, c.log
	// An interrupt lets a start clear away what it began.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = errors.Join(cause, err)
		}
		return fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	return nil
}
