package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fastAPI is app/main.py under gunicorn with one worker of uvicorn, which takes uvloop and httptools.
func fastAPI(s settings, typed bool) peer {
	name := "FastAPI, relay with a Pydantic model"
	if typed {
		name = "FastAPI, typed route"
	}
	python := filepath.Join(s.python, "bin", "python")
	return peer{
		name: name, typed: typed, slow: 2, warm: 2,
		about: func(ctx context.Context) (string, error) {
			return version(ctx, `FastAPI.*`, python, "-c", `from importlib.metadata import version as v
print(*(f"{p} {v(p.lower())}" for p in ("FastAPI", "Pydantic", "httpx", "gunicorn", "uvicorn", "uvloop", "httptools")), sep=", ")`)
		},
		command: func(ctx context.Context, p place) (*exec.Cmd, error) {
			app, err := filepath.Abs("bench/peers/app")
			cmd := unpacked(ctx, python, "-B", "-m", "gunicorn", "main:app", "--chdir", app, "--bind", p.address, "--workers", "1",
				"--worker-class", "uvicorn_worker.UvicornWorker", "--backlog", "4096", "--keep-alive", "120",
				"--worker-connections", "8000", "--log-level", "error", "--no-control-socket")
			cmd.Env = append(os.Environ(), "MODEL_URL=http://"+p.upstream+"/v1/chat/completions")
			return cmd, err
		},
	}
}

// liteLLM is its proxy with one worker and the settings of its page on production: no debug output, no telemetry. It asks for no
// key, as the others do not.
func liteLLM(s settings) peer {
	python := filepath.Join(s.litellm, "bin", "python")
	return peer{
		name: "LiteLLM proxy", slow: 10, warm: 2,
		about: func(ctx context.Context) (string, error) {
			return version(ctx, `LiteLLM.*`, python, "-c", `from importlib.metadata import version as v
print(*(f"{p} {v(p.lower())}" for p in ("LiteLLM", "uvicorn")), sep=", ")`)
		},
		command: func(ctx context.Context, p place) (*exec.Cmd, error) {
			var text strings.Builder
			text.WriteString("litellm_settings: {set_verbose: false, request_timeout: 300}\nmodel_list:\n")
			for _, model := range []string{"whole", "paced", "brief", "held"} {
				text.WriteString("- {model_name: " + model + ", litellm_params: {model: openai/" + model +
					", api_key: none, api_base: 'http://{upstream}/v1'}}\n")
			}
			config, err := p.write("config.yaml", p.fill(text.String()))
			if err != nil {
				return nil, err
			}
			logs, err := p.write("logs.json", `{"version": 1, "disable_existing_loggers": false, "root": {"level": "ERROR"}}`)
			cmd := unpacked(ctx, python, "-c", "import litellm, sys; sys.argv[0] = 'litellm'; litellm.run_server()",
				"--config", config, "--host", "127.0.0.1", "--port", p.port(), "--num_workers", "1",
				"--telemetry", "False", "--log_config", logs)
			cmd.Env = append(os.Environ(), "LITELLM_MODE=PRODUCTION", "LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True",
				"DISABLE_ADMIN_UI=True", "NO_DOCS=True", "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true")
			return cmd, err
		},
	}
}
