package bed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
)

// Program is a gateway that has been built.
type Program struct{ path string }

// BuildGateway builds cmd/gateway of this module into a directory.
func BuildGateway(ctx context.Context, dir string) (Program, error) {
	p := Program{path: filepath.Join(dir, "gateway")}
	//nolint:gosec // a program of this module
	build := exec.CommandContext(ctx, "go", "build", "-o", p.path, "github.com/llmservice/llmservice/cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		return p, fmt.Errorf("build the gateway: %w: %s", err, out)
	}
	return p, nil
}

// Gateway is how one gateway runs.
type Gateway struct {
	// Dir is where its config is written.
	Dir    string
	Config *config.Config
	// Workers are its -workers.
	Workers int
	// Listen is the address of the API; a free one if empty.
	Listen string
	// Flags are further ones.
	Flags []string
}

// Addresses are those of a gateway.
type Addresses struct{ API, Admin string }

// Command writes the config, and returns what runs the gateway.
func (p Program) Command(ctx context.Context, g Gateway) (cmd *exec.Cmd, at Addresses, err error) {
	if err := writeConfig(g.Dir, g.Config); err != nil {
		return nil, at, err
	}
	if at.API = g.Listen; at.API == "" {
		if at.API, err = FreeAddress(ctx); err != nil {
			return nil, at, err
		}
	}
	if at.Admin, err = FreeAddress(ctx); err != nil {
		return nil, at, err
	}
	args := append([]string{
		"-listen", at.API, "-admin-listen", at.Admin, "-config-dir", g.Dir, "-workers", strconv.Itoa(g.Workers),
		"-drain-delay", "0s", "-log-level", "error",
	}, g.Flags...)
	cmd = exec.CommandContext(ctx, p.path, args...) //nolint:gosec // it has just been built
	cmd.Stderr = os.Stderr
	return cmd, at, nil
}

// StartGateway runs the gateway, and waits until it is ready.
func (p Program) StartGateway(ctx context.Context, g Gateway) (s *Server, at Addresses, err error) {
	cmd, at, err := p.Command(ctx, g)
	if err != nil {
		return nil, at, err
	}
	if s, err = Start(cmd); err != nil {
		return nil, at, err
	}
	if _, err = s.Await(ctx, 20*time.Millisecond, Ready("http://"+at.Admin+"/readyz")); err != nil {
		s.Close()
		return nil, at, err
	}
	return s, at, nil
}

// Ready returns a question that succeeds if a GET of the URL is answered with 200.
func Ready(url string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		answer, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		defer func() { _ = answer.Body.Close() }()
		_, _ = io.Copy(io.Discard, answer.Body)
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("it is not ready: %s", answer.Status)
		}
		return nil
	}
}

// writeConfig writes a config that a gateway accepts to where it reads it.
func writeConfig(dir string, c *config.Config) error {
	encoded, err := config.Encode(c)
	if err != nil {
		return err
	}
	if _, err := program.Load(encoded); err != nil {
		return fmt.Errorf("the config of this measurement: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, delivery.CurrentKey), encoded, 0o600); err != nil {
		return fmt.Errorf("write the config: %w", err)
	}
	return nil
}
