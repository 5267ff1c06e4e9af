package main

import (
	"context"
	"os/exec"
	"path/filepath"
)

// haproxy has the settings of its manual for keep-alive on both sides: http-reuse always, one thread, no logs.
func haproxy(s settings) peer {
	program := filepath.Join(s.debian, "usr", "sbin", "haproxy")
	return peer{
		name: "HAProxy",
		about: func(ctx context.Context) (string, error) {
			return version(ctx, `HAProxy version \S+`, program, "-v")
		},
		command: func(ctx context.Context, p place) (*exec.Cmd, error) {
			file, err := p.write("haproxy.cfg", p.fill(`global
  maxconn 8000
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 5m
  timeout server 5m
  timeout http-keep-alive 2m
  option http-keep-alive
  option http-no-delay
  http-reuse always
frontend clients
  bind {address}
  default_backend model
backend model
  server model {upstream}
`))
			return unpacked(ctx, program, "-q", "-db", "-f", file), err
		},
	}
}

// nginx has the settings of its pages for keep-alive to upstreams and for streams: HTTP/1.1, no Connection header, no
// buffering of answers.
func nginx(s settings) peer {
	program := filepath.Join(s.debian, "usr", "sbin", "nginx")
	return peer{
		name: "nginx",
		about: func(ctx context.Context) (string, error) {
			return version(ctx, `nginx/\S+`, program, "-v")
		},
		command: func(ctx context.Context, p place) (*exec.Cmd, error) {
			file, err := p.write("nginx.conf", p.fill(`daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 16000;
pid {dir}/pid;
error_log stderr error;
events { worker_connections 8000; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000;
  client_max_body_size 4m;
  client_body_buffer_size 256k;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  upstream model {
    server {upstream};
    keepalive 256;
    keepalive_requests 1000000;
  }
  server {
    listen {address} backlog=4096;
    location / {
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 5m;
    }
  }
}
`))
			return unpacked(ctx, program, "-p", p.dir, "-e", "stderr", "-c", file), err
		},
	}
}

// envoy has one worker, circuit breakers above the load, and no timeout of whole answers, as its page on streams wants it.
func envoy(s settings) peer {
	// The program is in the wheel; bin/envoy is a script of Python that starts it.
	found, _ := filepath.Glob(filepath.Join(s.python, "lib", "python3*", "site-packages", "envoy", "_bin", "envoy"))
	program := append(found, filepath.Join(s.python, "envoy"))[0]
	return peer{
		name: "Envoy",
		about: func(ctx context.Context) (string, error) {
			return version(ctx, `\d+\.\d+\.\d+/\w+/\w+/\w+`, program, "--version")
		},
		command: func(ctx context.Context, p place) (*exec.Cmd, error) {
			file, err := p.write("envoy.yaml", p.fill(`static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: {port}}}
    tcp_backlog_size: 4096
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: clients
          codec_type: HTTP1
          route_config:
            virtual_hosts:
            - name: model
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: model, timeout: 0s}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: model
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds:
      - {max_connections: 8000, max_pending_requests: 8000, max_requests: 8000}
    load_assignment:
      cluster_name: model
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {upstreamPort}}}}
`))
			return unpacked(ctx, program, "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"), err
		},
	}
}
