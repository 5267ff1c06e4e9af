package node

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

// managedLabel is what containerd's CRI plugin puts on an image once it knows
// it, a moment after the import; before, the kubelet would not find the image.
const managedLabel = "io.cri-containerd.image=managed"

const importTimeout = 2 * time.Minute

// Import loads an image archive into the cluster's containerd and returns when
// the kubelet can start the named images, which are canonical names.
func Import(ctx context.Context, l Layout, archive string, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, importTimeout)
	defer cancel()
	if _, err := runCtr(ctx, l, "images", "import", archive); err != nil {
		return fmt.Errorf("import %s: %w", archive, err)
	}
	for _, name := range names {
		err := until(ctx, importTimeout, func(ctx context.Context) error { return imageKnown(ctx, l, name) })
		if err != nil {
			return fmt.Errorf("import %s: %w", archive, err)
		}
	}
	return nil
}

func imageKnown(ctx context.Context, l Layout, name string) error {
	out, err := runCtr(ctx, l, "images", "list", "name=="+name)
	if err != nil {
		return err
	}
	if !bytes.Contains(out, []byte(managedLabel)) {
		return fmt.Errorf("the kubelet does not know image %s", name)
	}
	return nil
}

func runCtr(ctx context.Context, l Layout, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "ctr", ctrArgs(l, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ctr: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// ctrArgs make ctr, containerd's own client, talk to the cluster's containerd
// about the namespace that the kubelet uses.
func ctrArgs(l Layout, args ...string) []string {
	return append([]string{"--address", l.Containerd(), "--connect-timeout", "5s", "--namespace", "k8s.io"}, args...)
}
