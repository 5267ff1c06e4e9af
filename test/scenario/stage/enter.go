package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/llmservice/llmservice/test/scenario"
)

// insideEnv tells a program that it is inside the cluster's network, and which images the cluster can run.
const insideEnv = "LLMSERVICE_SCENARIO"

func handOver(images scenario.Images) (env string, err error) {
	encoded, err := json.Marshal(images)
	if err != nil {
		return "", fmt.Errorf("encode images: %w", err)
	}
	return insideEnv + "=" + string(encoded), nil
}

// Inside returns the cluster where this process is in its network already, and nil if it is not.
func Inside() (*scenario.Cluster, error) {
	encoded := os.Getenv(insideEnv)
	if encoded == "" {
		return nil, nil //nolint:nilnil // outside is not an error, and there is no cluster
	}
	var images scenario.Images
	if err := json.Unmarshal([]byte(encoded), &images); err != nil {
		return nil, fmt.Errorf("decode %s: %w", insideEnv, err)
	}
	root, err := Root()
	if err != nil {
		return nil, err
	}
	return scenario.Connect(root, images)
}

// Set prepares everything: the cluster, the programs and their images. Then it runs this same process again inside
// the cluster's network, where Inside returns the cluster. Set itself returns only if something failed.
func Set(ctx context.Context, log io.Writer) error {
	root, err := Root()
	if err != nil {
		return err
	}
	cluster, err := BuildCluster(ctx, root, log)
	if err != nil {
		return err
	}
	if err := cluster.Up(ctx); err != nil {
		return err
	}
	programs, err := BuildPrograms(ctx, root, log)
	if err != nil {
		return err
	}
	images, err := cluster.Load(ctx, programs)
	if err != nil {
		return err
	}
	if images.Older, err = cluster.loadRelease(ctx, log); err != nil {
		return err
	}
	return cluster.Enter(images, os.Args[1:]...)
}
