# How LLMService is built, checked, run and tested. `make` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Targets share the tree and one cluster; each command is parallel inside.
.NOTPARALLEL:

# The Go that everything is built and tested with; an older one downloads it as a module, and what CI tested is what a release is built with.
export GOTOOLCHAIN := $(shell sed -n 's/^toolchain //p' go.mod)

# What is built once and kept lives outside the checkout, so that clones share it.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/llmservice
TOOLS ?= $(CACHE)/tools-$(shell cat .ci/tools/go.mod .ci/tools/go.sum | git hash-object --stdin | cut -c1-12)
KUBERNETES := $(shell sed -n 's/^\tk8s.io.kubernetes v//p' test/cluster/kubernetes/go.mod)
# The driver of test/cluster reads this one too.
export LLMSERVICE_CLUSTER_BIN ?= $(CACHE)/k8s-$(KUBERNETES)
HELM := $(LLMSERVICE_CLUSTER_BIN)/helm
# The Python program that the migration oracle asks in addition to the gateway; its test looks for it here, too.
ORACLE := $(CACHE)/oracle-$(shell sha256sum test/oracle/requirements.txt | cut -c1-12)
# The same for the libraries that test/sdks runs.
SDKS_PYTHON := $(CACHE)/sdks-python-$(shell sha256sum test/sdks/python/requirements.txt | cut -c1-12)
SDKS_NODE := $(CACHE)/sdks-node-$(shell sha256sum test/sdks/node/package-lock.json | cut -c1-12)
# The peers that bench-peers measures next to the gateway.
BENCH_DEBIAN := $(CACHE)/bench-debian-$(shell sha256sum bench/peers/install/debian.sh | cut -c1-12)
BENCH_PYTHON := $(CACHE)/bench-python-$(shell sha256sum bench/peers/install/python.txt | cut -c1-12)
BENCH_LITELLM := $(CACHE)/bench-litellm-$(shell sha256sum bench/peers/install/litellm.txt | cut -c1-12)

CLUSTER := build/bin/cluster
REPORTS := build/reports
GOLANGCI := $(TOOLS)/golangci-lint-kube-api-linter
# The modules whose code is ours. The others only pin programs.
MODULES := . release test/cluster
PINS := .ci/tools test/cluster/kubernetes
CHART := charts/llmservice
CRD := config/crd/bases/serving.llmservice.dev_llmservices.yaml
# What goes into images.
IMAGES := cmd/gateway cmd/manager test/mockllm/cmd/mockllm
TAG ?= dev
# The manifest that `make dev` serves, and how: its upstream is a scripted model on loopback.
SAMPLE ?= config/samples/assistant.yaml
MOCK ?= 127.0.0.1:8000
DEV_FLAGS ?= --endpoint fast=http://$(MOCK)/v1

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^##@/ {print "\n" substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Prepare

.PHONY: deps
deps: tools assets oracle-deps sdks-deps browser-deps suite-deps cluster-deps k8s ## Install and build everything that the other targets need; slow the first time, because it builds Kubernetes.
	go mod download

.PHONY: tools
tools: $(addprefix $(TOOLS)/,controller-gen crd-ref-docs gotestsum golangci-lint-kube-api-linter helm-docs kustomize)

$(TOOLS)/%:
	.ci/tool.sh $(TOOLS) $*

# Phony: go build knows best whether the driver is current.
.PHONY: $(CLUSTER)
$(CLUSTER):
	@go build -C test/cluster -o $(CURDIR)/$@ ./cmd/cluster

# The API server that the API suite runs against; nothing where KUBEBUILDER_ASSETS names one.
.PHONY: assets
assets: $(CLUSTER)
	$(CLUSTER) build --only etcd,kube-apiserver,kubectl,helm

.PHONY: k8s
k8s: $(CLUSTER)
	$(CLUSTER) build

$(HELM): $(CLUSTER)
	$(CLUSTER) build --only helm

.PHONY: oracle-deps
oracle-deps: $(ORACLE)/bin/python

$(ORACLE)/bin/python:
	test/oracle/venv.sh $(ORACLE) test/oracle/requirements.txt

.PHONY: sdks-deps
sdks-deps: $(SDKS_PYTHON)/bin/python $(SDKS_NODE)/node_modules

$(SDKS_PYTHON)/bin/python:
	test/oracle/venv.sh $(SDKS_PYTHON) test/sdks/python/requirements.txt

$(SDKS_NODE)/node_modules:
	test/sdks/node/modules.sh $(SDKS_NODE)

# The names that test/browser looks for.
.PHONY: browser-deps
browser-deps:
	@for b in chromium-headless-shell chromium chromium-browser google-chrome; do ! command -v $$b >/dev/null || exit 0; done; \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { \
		echo 'browser-deps: there is no Chromium, and only root can install one with apt-get. Install one yourself,' \
			'or leave these tests out: LLMSERVICE_TEST_WITHOUT=browser' >&2; exit 1; }; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium-headless-shell

# JSON Schema's official test suite, as a Go module that nothing else needs.
.PHONY: suite-deps
suite-deps:
	go mod download -C runtime/schema/testdata/suite github.com/kaptinlin/jsonschema

.PHONY: cluster-deps
cluster-deps: $(CLUSTER)
	$(if $(LLMSERVICE_KUBECONFIG),,$(CLUSTER) deps --install)

##@ Write

# The empty tag list: controller-gen otherwise loads packages without generated code, which custom-metrics-apiserver needs.
.PHONY: generate
generate: $(addprefix $(TOOLS)/,controller-gen crd-ref-docs helm-docs) ## Write the generated files: deepcopy, CRD, RBAC, the chart's copies, reference pages.
	$(TOOLS)/controller-gen object crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	$(TOOLS)/controller-gen --load-build-tags= rbac:roleName=llmservice-manager paths=./controllers/... output:rbac:artifacts:config=config/rbac
	go run ./test/house/examples crd <$(CRD) | go run ./test/house/inline | .ci/narrow >$(CHART)/files/crd.yaml
	cp $(CHART)/files/crd.yaml $(CRD)
	cp config/rbac/role.yaml config/prometheus/alerts.yaml config/prometheus/operator-alerts.yaml $(CHART)/files/
	$(TOOLS)/helm-docs --log-level=warning --chart-search-root=$(CHART)
	$(TOOLS)/crd-ref-docs --log-level=ERROR --config=.ci/crd-ref-docs.yaml --source-path=api/v1alpha1 \
		--renderer=markdown --output-path=docs/reference/api.md
	.ci/reference config/samples/assistant.yaml docs/reference/api.md | go run ./test/house/examples >docs/reference/api.md.new
	mv docs/reference/api.md.new docs/reference/api.md

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the Go code.
	for m in $(MODULES); do (cd $$m && $(GOLANGCI) fmt --config $(CURDIR)/.golangci.yaml); done

.PHONY: tidy
tidy: ## Tidy every go.mod.
	for m in $(MODULES) $(PINS); do go mod tidy -C $$m; done

##@ Check

.PHONY: verify
verify: verify-generated verify-pages lint house verify-manifests verify-tidy vulnerabilities verify-tree ## Check everything that needs no run: generated files, style, imports, manifests.

.PHONY: verify-generated
verify-generated:
	.ci/unchanged-by $(MAKE) --no-print-directory generate

# ReDoc's bundle is committed, so that a build needs no npm; runtime/openapi/redoc/fetch writes it anew.
.PHONY: verify-pages
verify-pages:
	runtime/openapi/redoc/fetch --check

.PHONY: lint
lint: $(GOLANGCI) ## Run the linters; .golangci.yaml gives a reason for each exception.
	for m in $(MODULES); do (cd $$m && $(GOLANGCI) run --config $(CURDIR)/.golangci.yaml --allow-parallel-runners); done

# Not cached: the rules look at more than the code of their own package.
.PHONY: house
house: ## Check the rules of this repository: import arrows, package names, sleeps, links.
	go test -count=1 ./test/house

.PHONY: verify-manifests
verify-manifests: $(TOOLS)/kustomize $(HELM)
	for k in config/default config/samples; do $(TOOLS)/kustomize build $$k >/dev/null; done
	$(HELM) lint --strict --quiet $(CHART)
	$(HELM) template llmservice $(CHART) --namespace llmservice-system >/dev/null

# The database is a module of a pinned date, so that a run needs nothing but the module proxy and repeats what it found.
.PHONY: vulnerabilities
vulnerabilities: ## Look for known vulnerabilities in the dependencies that are in use.
	.ci/vulnerabilities/check $(MODULES)

# Without Kubernetes: its module is built with -mod=readonly, and tidying it downloads what only its tests use.
.PHONY: verify-tidy
verify-tidy:
	for m in $(MODULES) .ci/tools; do go mod tidy -C $$m -diff; done

# A developer's tree may hold work. In CI, what a check wrote is missing from the commit.
.PHONY: verify-tree
verify-tree:
ifneq ($(CI),)
	@test -z "$$(git status --porcelain)" || { git status --short; git diff; echo 'verify: the tree is not clean' >&2; exit 1; }
endif

##@ Test

.PHONY: test
test: test-go test-cluster test-release ## Run the unit, API and gateway suites under the race detector.

# What suites need in addition to Go: names that LLMSERVICE_TEST_WITHOUT may have, with commas between them. A suite that lacks what it
# needs fails, so that nobody takes what was left out for tested.
comma := ,
NEEDS := $(filter-out $(subst $(comma), ,$(LLMSERVICE_TEST_WITHOUT)),browser oracle sdks suite)

# Tests that draw print their seed, which repeats a run here; it is that of the order of tests, too. .ci/run sets one for each commit.
SHUFFLE := $(or $(LLMSERVICE_SEED),on)

# test/e2e has the build tag e2e, which keeps it out of here: it wants a cluster.
.PHONY: test-go
test-go: $(TOOLS)/gotestsum assets $(NEEDS:%=%-deps)
	@mkdir -p $(REPORTS)
	KUBEBUILDER_ASSETS=$$($(CLUSTER) assets) \
	$(TOOLS)/gotestsum --jsonfile $(REPORTS)/go.json -- -race -shuffle=$(SHUFFLE) -timeout 15m ./...

.PHONY: test-cluster
test-cluster: $(TOOLS)/gotestsum
	@mkdir -p $(REPORTS)
	cd test/cluster && $(TOOLS)/gotestsum --jsonfile $(CURDIR)/$(REPORTS)/cluster.json -- -race -shuffle=$(SHUFFLE) -timeout 15m ./...

# Without the race detector: nothing there is concurrent, and it makes a release of one platform, twice.
.PHONY: test-release
test-release: $(TOOLS)/gotestsum $(TOOLS)/kustomize $(HELM)
	@mkdir -p $(REPORTS)
	cd release && LLMSERVICE_HELM=$(HELM) LLMSERVICE_KUSTOMIZE=$(TOOLS)/kustomize \
	$(TOOLS)/gotestsum --jsonfile $(CURDIR)/$(REPORTS)/release.json -- -shuffle=$(SHUFFLE) -timeout 15m ./...

# Each target's seeds and corpus run in test-go already; this looks for more.
FUZZ_SECONDS ?= 3
.PHONY: fuzz
fuzz: ## Fuzz each parser for FUZZ_SECONDS.
	.ci/fuzz $(FUZZ_SECONDS)

# A part of test-go as well, which prints nothing where all is as listed.
.PHONY: oracle
oracle: oracle-deps ## Send the same requests to FastAPI and the gateway, and print the differences.
	go test -count=1 -v -run TestMigration ./test/oracle

# It has the build tag hostile, which keeps it out of test-go: it wants both cores of a machine for itself.
.PHONY: hostile
hostile: $(TOOLS)/gotestsum ## Attack a gateway in a control group of 256 MiB while it serves paced streams (root, Linux).
	@mkdir -p $(REPORTS)
	$(TOOLS)/gotestsum --format testname --jsonfile $(REPORTS)/hostile.json -- -tags hostile -count=1 -timeout 12m ./test/hostile
	LLMSERVICE_ENGINE=nethttp LLMSERVICE_UPSTREAM_CLIENT=nethttp $(TOOLS)/gotestsum --format testname \
		--jsonfile $(REPORTS)/hostile-nethttp.json -- -tags hostile -count=1 -timeout 12m -run 'TestHeads|TestConnections' ./test/hostile

# The suite starts the cluster, loads the images and moves into the cluster's network by itself.
.PHONY: e2e
e2e: e2e-cluster e2e-service e2e-nodes ## Test the whole system on a local Kubernetes (root, Linux).

.PHONY: e2e-cluster
e2e-cluster: $(TOOLS)/gotestsum cluster-deps k8s
	@mkdir -p $(REPORTS)
	cd test/cluster && $(TOOLS)/gotestsum --format testname --jsonfile $(CURDIR)/$(REPORTS)/e2e-cluster.json -- \
		-tags e2e -count=1 -timeout 10m .

.PHONY: e2e-service
e2e-service: $(TOOLS)/gotestsum cluster-deps k8s images
	@mkdir -p $(REPORTS)
	$(TOOLS)/gotestsum --format testname --jsonfile $(REPORTS)/e2e.json -- -tags e2e -count=1 -timeout 23m -skip '^TestNode' ./test/e2e/...

# A cluster of its own, since it loses a node.
NODES := LLMSERVICE_CLUSTER_NODES=2 LLMSERVICE_CLUSTER_STATE=/tmp/llmservice-k8s-nodes LLMSERVICE_CLUSTER_NETNS=llmservice-nodes
.PHONY: e2e-nodes
e2e-nodes: $(TOOLS)/gotestsum cluster-deps k8s images
	@mkdir -p $(REPORTS)
	$(NODES) $(CLUSTER) down
	$(NODES) $(TOOLS)/gotestsum --format testname --jsonfile $(REPORTS)/e2e-nodes.json -- -tags e2e -count=1 -timeout 15m -run '^TestNode' ./test/e2e/...
	$(NODES) $(CLUSTER) down

# Every script under every fault, which takes about half an hour on two idle cores; test-go plays some, chosen at random. LLMSERVICE_FAULTS, a regular
# expression over SCRIPT/FAULT, chooses there; SOAK here.
SOAK ?= .
.PHONY: soak
soak: $(TOOLS)/gotestsum assets ## Play every script under every fault, write docs/reliability.md; then check more states of the protocol, and every edit of a field.
	@mkdir -p $(REPORTS)
	KUBEBUILDER_ASSETS=$$($(CLUSTER) assets) LLMSERVICE_FAULTS='$(SOAK)' LLMSERVICE_FAULTS_REPORT=$(CURDIR)/docs/reliability.md \
	$(TOOLS)/gotestsum --format testname --jsonfile $(REPORTS)/soak.json -- -count=1 -timeout 4h ./test/faults
	KUBEBUILDER_ASSETS=$$($(CLUSTER) assets) LLMSERVICE_SOAK=1 LLMSERVICE_EDITS=all \
	$(TOOLS)/gotestsum --format testname --jsonfile $(REPORTS)/soak-states.json -- -count=1 -timeout 2h \
		-run 'TestProtocol|TestEveryFieldIsRefusedOrReportedOrServed' ./controllers ./test/api

.PHONY: test-summary
test-summary: $(TOOLS)/gotestsum
	@$(TOOLS)/gotestsum --format none --hide-summary=skipped,output --raw-command -- cat $(REPORTS)/*.json

.PHONY: bench
bench: ## Run the Go benchmarks, and the measurements of bench/; on an idle machine.
	go test -run '^$$' -bench . -benchmem ./runtime/...
	go run ./bench/isolation

# A peer that is not installed is named in the tables.
.PHONY: bench-peers
bench-peers: ## Measure the gateway next to HAProxy, nginx, Envoy, FastAPI, LiteLLM and others, and write docs/benchmarks.md; on an idle machine.
	@mkdir -p build/bin
	go build -o build/bin/bench-peers ./bench/peers
	build/bin/bench-peers -debian $(BENCH_DEBIAN) -python $(BENCH_PYTHON) -litellm $(BENCH_LITELLM) \
		$(or $(BENCH_PEERS_FLAGS),-out docs/benchmarks.md)

.PHONY: profile
profile: ## Take anew the profile along which the compiler optimises the gateway, cmd/gateway/default.pgo; on an idle machine.
	@mkdir -p build/bin build/profiles
	go build -o build/bin/bench-peers ./bench/peers
	rm -f build/profiles/*.cpu
	build/bin/bench-peers -rounds 1 -unary 5s -waves 8 -profile 5s -profiles build/profiles -only '^gateway .*\(http1, own\)'
	go tool pprof -proto -output cmd/gateway/default.pgo build/profiles/*.cpu

.PHONY: bench-deps
bench-deps: $(BENCH_DEBIAN) $(BENCH_PYTHON)/bin/python $(BENCH_LITELLM)/bin/python ## Install the peers that bench-peers measures; Java is not among them.

$(BENCH_DEBIAN):
	bench/peers/install/debian.sh $@

$(BENCH_PYTHON)/bin/python:
	test/oracle/venv.sh $(BENCH_PYTHON) bench/peers/install/python.txt

$(BENCH_LITELLM)/bin/python:
	test/oracle/venv.sh $(BENCH_LITELLM) bench/peers/install/litellm.txt

.PHONY: bench-operator
bench-operator: assets ## Measure the operator with thousands of services and pods on a real API server; an hour at most, on an idle machine.
	KUBEBUILDER_ASSETS=$$($(CLUSTER) assets) go run ./bench/operator $(BENCH_OPERATOR_FLAGS)

##@ Run

.PHONY: dev
dev: ## Serve SAMPLE on loopback with a scripted model, without a cluster, and reload it on save.
	@mkdir -p build/bin
	go build -o build/bin/ ./cmd/kubectl-llmservice ./test/mockllm/cmd/mockllm
	build/bin/mockllm -listen $(MOCK) & trap "kill $$!" EXIT; \
	build/bin/kubectl-llmservice dev -f $(SAMPLE) $(DEV_FLAGS)

.PHONY: demo
demo: cluster-deps k8s ## Show everything on a local Kubernetes, and check each step (root, Linux).
	go run ./test/demo

# grpcnotrace: grpc's tracing would make the manager half as large again.
.PHONY: images
images: $(CLUSTER) ## Build the images as archives in build/images, for docker load or ctr images import.
	for p in $(IMAGES); do \
		i=build/images/$${p##*/}; \
		CGO_ENABLED=0 GOOS=linux go build -tags grpcnotrace -trimpath -ldflags '-s -w' -o $$i ./$$p; \
		$(CLUSTER) image llmservice/$${p##*/}:$(TAG) $$i -o $$i.tar; \
	done

.PHONY: cluster-up
cluster-up: cluster-deps k8s ## Start the local Kubernetes, unless it runs.
	$(CLUSTER) up

.PHONY: cluster-down
cluster-down: $(CLUSTER) ## Stop the local Kubernetes and leave nothing behind.
	$(CLUSTER) down
	$(NODES) $(CLUSTER) down

##@ Release

# VERSION=v1.2.3 has it fail unless the commit has that tag. RELEASE_FLAGS may limit it, as --platform linux/amd64 does.
RELEASE := build/release
VERSION ?=
.PHONY: release
release: $(TOOLS)/kustomize $(HELM) ## Make the files of a release from this commit, in build/release; pushes nothing.
	@mkdir -p build/bin
	go build -C release -o $(CURDIR)/build/bin/release ./cmd/release
	build/bin/release --helm $(HELM) --kustomize $(TOOLS)/kustomize --out $(RELEASE) --version '$(VERSION)' $(RELEASE_FLAGS)

# The second time from an empty build cache, so that everything is compiled anew.
.PHONY: reproducible
reproducible: release ## Make the release twice, and list the files that differ; as slow as a first build for six platforms.
	cache=$$(mktemp -d); trap 'rm -rf "$$cache"' EXIT; \
	GOCACHE=$$cache $(MAKE) --no-print-directory release RELEASE=build/release-again
	diff $(RELEASE)/SHA256SUMS build/release-again/SHA256SUMS

.PHONY: clean
clean: ## Remove the files built in the checkout; ~/.cache/llmservice is kept.
	rm -rf build
