//go:build hostile && linux

package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/leaks"
)

// The canaries: the key of all upstreams, and what each attack's requests have. They may be in nothing that the gateway says of itself.
const (
	canaryKey    = "canary-key-c4417b9e"
	canaryPrompt = "canary-prompt-e08d52"
)

// gateway is the program under attack, in its control group.
type gateway struct {
	*process

	group      *cgroup
	api, admin string
	log        lastWords
}

// installation is what a pod would find: the program, its config, its arguments and environment, its bound of memory.
type installation struct {
	dir, binary string
	args, env   []string
	memory      int64
}

// install builds the gateway and renders the service as the operator does.
func install(ctx context.Context, paced, hostile string) (*installation, error) {
	i := &installation{}
	var err error
	if i.dir, err = os.MkdirTemp("", "hostile-"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	if err := i.fill(ctx, paced, hostile); err != nil {
		return nil, errors.Join(err, os.RemoveAll(i.dir))
	}
	return i, nil
}

func (i *installation) fill(ctx context.Context, paced, hostile string) error {
	i.binary = filepath.Join(i.dir, "gateway")
	build := exec.CommandContext(ctx, "go", "build", "-o", i.binary, "github.com/llmservice/llmservice/cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the gateway: %w: %s", err, out)
	}
	text, err := os.ReadFile("testdata/service.yaml")
	if err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	// Too long for a file that people read.
	text = []byte(strings.ReplaceAll(string(text), "LONG_DEFAULT", strings.Repeat("d", 10_000)))
	service, err := manifest.Load(ctx, text)
	if err != nil {
		return fmt.Errorf("the manifest: %w", err)
	}
	if err := i.writeConfig(service, paced, hostile); err != nil {
		return err
	}
	keys := filepath.Join(i.dir, "keys")
	if err := errors.Join(os.Mkdir(keys, 0o700), os.WriteFile(filepath.Join(keys, "key"), []byte(canaryKey), 0o600)); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	return i.readContainer(service)
}

func (i *installation) writeConfig(service *v1alpha1.LLMService, paced, hostile string) error {
	contract, err := render.Contract(service)
	if err != nil {
		return fmt.Errorf("the manifest: %w", err)
	}
	for n := range contract.Upstreams {
		u := &contract.Upstreams[n]
		at := strings.Replace(u.Endpoints[0].URL, "hostile.invalid", hostile, 1)
		u.Endpoints = []config.Endpoint{{URL: strings.Replace(at, "model.invalid", paced, 1)}}
	}
	if errs := program.Validate(contract); len(errs) > 0 {
		return fmt.Errorf("the manifest: %w", errs)
	}
	encoded, err := config.Encode(contract)
	if err != nil {
		return fmt.Errorf("the manifest: %w", err)
	}
	return os.WriteFile(filepath.Join(i.dir, delivery.CurrentKey), encoded, 0o600)
}

// readContainer takes from the rendered Deployment what a kubelet would.
func (i *installation) readContainer(service *v1alpha1.LLMService) error {
	children, err := render.Kinds().Children(render.Input{Service: service, Replicas: 1, Gateway: render.GatewaySettings{Image: "gateway"}})
	if err != nil {
		return fmt.Errorf("render the service: %w", err)
	}
	for _, child := range children {
		if child.Kind != "Deployment" {
			continue
		}
		var deployment appsv1.Deployment
		if encoded, err := json.Marshal(child.Apply); err != nil {
			return fmt.Errorf("read the Deployment: %w", err)
		} else if err := json.Unmarshal(encoded, &deployment); err != nil {
			return fmt.Errorf("read the Deployment: %w", err)
		}
		container := deployment.Spec.Template.Spec.Containers[0]
		i.args = container.Args
		for _, v := range container.Env {
			i.env = append(i.env, v.Name+"="+v.Value)
		}
		i.memory = container.Resources.Limits.Name(corev1.ResourceMemory, "").Value()
		return nil
	}
	return errors.New("the operator renders no Deployment")
}

// run starts a gateway in a group of its own, and waits until it is ready.
func (i *installation) run(ctx context.Context) (*gateway, error) {
	group, err := newCgroup(i.memory)
	if err != nil {
		return nil, err
	}
	g := &gateway{group: group}
	if err := g.start(i); err != nil {
		return nil, errors.Join(err, g.close())
	}
	if err := g.ready(ctx); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// profiles is a directory for the profiles of CPU and heap during each attack: to look for a reason.
var profiles = os.Getenv("LLMSERVICE_HOSTILE_PROFILES")

func (g *gateway) start(i *installation) error {
	addresses, err := freePorts(2)
	if err != nil {
		return err
	}
	g.api, g.admin = addresses[0], addresses[1]
	// The rest of what a pod gives: addresses and directories are the container's own there.
	args := slices.Concat(i.args, []string{
		"--listen=" + g.api, "--admin-listen=" + g.admin, "--config-dir=" + i.dir, "--secrets-dir=" + i.dir,
		"--termination-log=/dev/null",
	})
	if profiles != "" {
		args = append(args, "--profiling")
	}
	cmd, done, err := g.group.command(niceGateway, i.binary, args...)
	if err != nil {
		return err
	}
	defer done()
	cmd.Env = append(os.Environ(), i.env...)
	cmd.Stderr = &g.log
	g.process, err = start(cmd)
	return err
}

func freePorts(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a port: %w", err)
		}
		defer func() { _ = l.Close() }()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

var operator = &http.Client{Timeout: 2 * time.Second}

func (g *gateway) ready(ctx context.Context) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		status, err := g.get(ctx, report.ReadyPath, io.Discard)
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case !g.alive():
			return fmt.Errorf("the gateway ended at once: %w: %s", g.err, g.log.String())
		case time.Now().After(deadline):
			return fmt.Errorf("the gateway is not ready: status %d, %w", status, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// get asks the admin listener.
func (g *gateway) get(ctx context.Context, path string, into io.Writer) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := operator.Do(req)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(into, answer.Body)
	return answer.StatusCode, err
}

// atRest reports whether nothing but the paced streams is being served.
func (g *gateway) atRest(ctx context.Context) error {
	var text bytes.Buffer
	if status, err := g.get(ctx, report.StatusPath, &text); err != nil || status != http.StatusOK {
		return fmt.Errorf("ask the admin listener: status %d, %w", status, err)
	}
	var said report.Status
	if err := json.Unmarshal(text.Bytes(), &said); err != nil {
		return fmt.Errorf("read the gateway's status: %w", err)
	}
	if said.InFlight > streamCount {
		return fmt.Errorf("%d requests are in flight, of which %d are streams that stay", said.InFlight, streamCount)
	}
	return nil
}

// leaks lists where the gateway has a canary: in what it has logged, or on a page.
func (g *gateway) leaks(ctx context.Context) ([]string, error) {
	return leaks.Of(ctx, g.log.leaked(), "http://"+g.api, "http://"+g.admin, canaryKey, canaryPrompt)
}

func (g *gateway) close() error {
	g.kill()
	return g.group.remove()
}

// lastWords is the end of what a gateway logs. It goes through a pipe, as in a pod: a file's pages would count as memory of
// the gateway's.
type lastWords struct {
	mu     sync.Mutex
	text   []byte
	leaky  string // the first piece that has a canary
	before []byte // the end of the last piece, in which one may begin
}

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	piece := string(l.before) + string(p)
	if l.leaky == "" && len(leaks.In(piece, canaryKey, canaryPrompt)) > 0 {
		l.leaky = piece
	}
	l.before = append(l.before[:0], p[max(0, len(p)-overlap):]...)
	if len(l.text) > 2*wordsKept {
		l.text = append(l.text[:0], l.text[len(l.text)-wordsKept:]...)
	}
	return len(p), nil
}

const (
	wordsKept = 1024
	// overlap is longer than a canary, however it is spelt.
	overlap = 128
)

// leaked is a piece of the log that has a canary; nothing, if none has.
func (l *lastWords) leaked() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaky
}

func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text[max(0, len(l.text)-wordsKept):])
}
