package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/llmservice/llmservice/test/cluster/image"
	"github.com/llmservice/llmservice/test/cluster/netns"
	"github.com/llmservice/llmservice/test/cluster/supervise"
)

// logLines is how much of a daemon's log an error quotes.
const logLines = 10

// starter is a start in progress.
type starter struct {
	Layout
	sup  *supervise.Supervisor
	step func(string)
}

// Start turns the namespaces that this process is the first in into a node,
// and returns when pods can run on it. It calls step with each stage that is
// reached. An error names the daemon that failed and quotes its log; ctx ends
// with such an error as its cause when a daemon dies.
func Start(ctx context.Context, l Layout, sup *supervise.Supervisor, cniDir string, step func(string)) error {
	s := starter{Layout: l, sup: sup, step: step}
	if err := l.isolateMounts(); err != nil {
		return err
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	if err := l.writeConfigs(cniDir); err != nil {
		return err
	}
	api, err := l.writeKeys()
	if err != nil {
		return err
	}
	if err := s.startControlPlane(ctx, api); err != nil {
		return err
	}
	if err := s.startNode(ctx, api); err != nil {
		return err
	}
	return s.startWorkers(ctx, api)
}

func (s starter) startControlPlane(ctx context.Context, api *client) error {
	if err := s.start(s.etcd(), s.containerd(), s.apiserver()); err != nil {
		return err
	}
	return s.await(ctx, check{"containers can run", "containerd", s.loadPause}, apiserverAnswers(api))
}

func (s starter) startNode(ctx context.Context, api *client) error {
	err := s.start(s.controllerManager(), s.scheduler(), s.kubelet(), s.proxy(), s.dns(), s.metricsServer())
	if err != nil {
		return err
	}
	if err := registerMetrics(ctx, api); err != nil {
		return err
	}
	return s.await(ctx,
		controllersRun(api), s.ready(api), s.schedulable(api),
		servicesRouted(api), dnsAnswers(), metricsAvailable(api))
}

// startWorkers starts the nodes but the first, all at once.
func (s starter) startWorkers(ctx context.Context, api *client) error {
	for _, w := range s.Workers() {
		if err := s.start(w.supervisor()); err != nil {
			return err
		}
	}
	for _, w := range s.Workers() {
		if err := s.await(ctx, w.ready(api), w.schedulable(api)); err != nil {
			return err
		}
	}
	return nil
}

// StartWorker turns the namespaces that this process is the first in into a
// worker of the cluster that it was started by. It is [Start] for a node without
// a control plane; the first node waits until the worker is Ready.
func StartWorker(ctx context.Context, l Layout, sup *supervise.Supervisor, cniDir string) error {
	// In /proc, which is still the first node's, process 1 is that node's supervisor.
	upstream, err := netns.OfProcess(1)
	if err != nil {
		return err
	}
	defer upstream.Close()
	if err := l.joinNetwork(upstream); err != nil {
		return err
	}
	if err := l.isolateMounts(); err != nil {
		return err
	}
	if err := l.writeConfigs(cniDir); err != nil {
		return err
	}
	s := starter{Layout: l, sup: sup, step: func(string) {}}
	if err := s.start(s.containerd()); err != nil {
		return err
	}
	if err := s.await(ctx, check{"containers can run", "containerd", s.loadPause}); err != nil {
		return err
	}
	return s.start(s.kubelet(), s.proxy())
}

func (s starter) start(daemons ...supervise.Daemon) error {
	for _, d := range daemons {
		if err := s.sup.Start(d); err != nil {
			return err
		}
	}
	return nil
}

func (s starter) await(ctx context.Context, checks ...check) error {
	for _, c := range checks {
		if err := until(ctx, checkLimit, c.ok); err != nil {
			return s.explain(c, err)
		}
		s.step(c.what)
	}
	return nil
}

// explain adds the log that a check points to, unless a daemon's death, which
// brought its own, ended the wait.
func (s starter) explain(c check, err error) error {
	if _, died := errors.AsType[*DiedError](err); died {
		return err
	}
	path := s.sup.LogPath(c.daemon)
	return fmt.Errorf("%q: %w\n%s ends with:\n%s", c.what, err, path, supervise.LogTail(path, logLines))
}

// DiedError is the end of a daemon.
type DiedError struct{ Daemon supervise.DaemonStatus }

func (e *DiedError) Error() string {
	return fmt.Sprintf("%s\n%s", e.Daemon, supervise.LogTail(e.Daemon.Log, logLines))
}

// loadPause loads the image that every pod's sandbox runs.
func (s starter) loadPause(ctx context.Context) error {
	archive := s.path("pause.tar")
	if _, err := os.Stat(archive); err != nil {
		if err := s.writePause(archive); err != nil {
			return err
		}
	}
	//nolint:noctx // the reaper alone waits for children, and kills this one when ctx ends
	cmd := exec.Command("ctr", ctrArgs(s.Layout, "images", "import", archive)...)
	out, err := os.Create(s.sup.LogPath("pause-import"))
	if err != nil {
		return fmt.Errorf("import pause image: %w", err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := s.sup.Reaper.RunToEnd(ctx, cmd); err != nil {
		return fmt.Errorf("import pause image: %w: %s", err, supervise.LogTail(out.Name(), 1))
	}
	return nil
}

func (s starter) writePause(archive string) error {
	tag, err := image.ParseTag(pauseImage)
	if err != nil {
		return err
	}
	img, err := image.FromBinary(filepath.Join(s.visibleBin(), "pause"))
	if err != nil {
		return err
	}
	return image.WriteArchive(archive, tag, img)
}
