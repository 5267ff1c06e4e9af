// Command operator measures the operator against a real API server (KUBEBUILDER_ASSETS says where that and etcd are): how
// long many services take, what they cost in requests and memory, whether they are left alone once they are settled, how
// soon another manager follows one that was killed, and how old the readings of many pods get while some hang.
//
// The manager is a process of its own, built from this tree; the gateways are this process, at addresses of the loopback
// network, on the port that a pod's admin listener has. Neither a kubelet nor a controller-manager runs. It prints each figure
// with what it may be at most, and failsif one is worse.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// settings bound a run in count and time.
type settings struct {
	services, pods, foreign int
	quiet                   time.Duration
}

func main() {
	var s settings
	flag.IntVar(&s.services, "services", 5000, "services without pods")
	flag.IntVar(&s.pods, "pods", 1000, "pods of each of four services, of which one in ten hangs; at most 1000")
	flag.IntVar(&s.foreign, "foreign", 2000, "Secrets and ConfigMaps of 100 KiB each that are not the operator's")
	flag.DurationVar(&s.quiet, "quiet", 10*time.Minute, "how long settled services are watched for writes")
	flag.Parse()
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	bed, err := newBed(ctx)
	if err != nil {
		return err
	}
	defer bed.close()
	for _, measure := range []func(context.Context, settings) error{bed.takeover, bed.fleet, bed.unrelated, bed.crowd} {
		if err := measure(ctx, s); err != nil {
			return err
		}
	}
	if bed.worse > 0 {
		return fmt.Errorf("%d figures are worse than they may be", bed.worse)
	}
	return nil
}
