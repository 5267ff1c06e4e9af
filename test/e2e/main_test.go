//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/stage"
)

// cluster is the one that all tests share; the chart is installed on it.
var cluster *scenario.Cluster

// setWithin bounds what comes before the first test, a first build of Kubernetes included.
const setWithin = 45 * time.Minute

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), setWithin)
	defer cancel()
	var err error
	if cluster, err = stage.Inside(); err != nil {
		return 0, err
	}
	if cluster == nil {
		return 0, stage.Set(ctx, os.Stderr)
	}
	if _, err := cluster.Install(ctx); err != nil {
		cluster.Explain(ctx, os.Stderr, scenario.OperatorNamespace)
		return 0, err
	}
	// Most of a test's time is waiting: more of them run at once than the machine has cores.
	if err := flag.Set("test.parallel", "8"); err != nil {
		return 0, fmt.Errorf("set parallelism: %w", err)
	}
	return m.Run(), nil
}
