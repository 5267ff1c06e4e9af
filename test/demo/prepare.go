package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/stage"
)

// prepare brings the cluster up and the images into it, and goes on inside the cluster's network. It returns only if
// something failed.
func prepare(ctx context.Context, n *narrator) error {
	root, err := stage.Root()
	if err != nil {
		return err
	}
	var log bytes.Buffer // shown if something fails
	fail := func(err error) error { return fmt.Errorf("%w\n%s", err, bytes.TrimSpace(log.Bytes())) }

	var cluster *stage.Cluster
	err = n.step(ctx, "A real Kubernetes", `One node with etcd, API server, scheduler, kubelet and containerd, in a network
		namespace of this machine: it touches nothing outside.`,
		func(ctx context.Context) (string, error) {
			if cluster, err = stage.BuildCluster(ctx, root, &log); err != nil {
				return "", err
			}
			return "the cluster is up", cluster.Up(ctx)
		})
	if err != nil {
		return fail(err)
	}
	var programs stage.Programs
	err = n.step(ctx, "Images without Docker", `Each image is one static Go program and nothing else, and runs as a user
		that is not root.`,
		func(ctx context.Context) (string, error) {
			if programs, err = stage.BuildPrograms(ctx, root, &log); err != nil {
				return "", err
			}
			return sizes(programs.Images()), programs.Images().CheckSizes()
		})
	if err != nil {
		return fail(err)
	}
	var images scenario.Images
	n.begun = time.Now() // what was built before depends on what was there already
	err = n.step(ctx, "The images, in the cluster", `containerd takes them from an archive: there is no registry.`,
		func(ctx context.Context) (string, error) {
			images, err = cluster.Load(ctx, programs)
			return "containerd has " + images.Gateway + " and " + images.Manager, err
		})
	if err != nil {
		return fail(err)
	}
	begun, err := n.begun.MarshalText()
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	return cluster.Enter(images, "-steps="+strconv.Itoa(n.steps), "-begun="+string(begun))
}

func sizes(i scenario.Images) string {
	const megabyte = 1_000_000
	return fmt.Sprintf("gateway %d MB (less than %d), operator %d MB (less than %d)",
		i.GatewayBytes/megabyte, scenario.MaxGatewayBytes/megabyte,
		i.ManagerBytes/megabyte, scenario.MaxManagerBytes/megabyte)
}
