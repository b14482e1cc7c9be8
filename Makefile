# Everything a contributor runs. Each target sets up .venv by itself.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check told-lint lint mypy pyright bench layers fmt helm apiserver protos clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Run Envoy, six simulated model servers and a policy for a minute
	@$(BIN)/headrace demo

# The bytecode of what is imported is kept: the tests start some hundred processes.
test: $(READY) ## Run all tests
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist loadscope --no-loadscope-reorder

# The tests wait now and then, so lint goes beside them; what it says comes in one piece.
check: $(READY) ## Everything CI checks: lint and all tests
	@$(MAKE) --no-print-directory -j 2 -k told-lint $(if $(filter no,$(TESTS)),,test)

told-lint:
	@told=$$($(MAKE) --no-print-directory lint 2>&1); code=$$?; printf '\n%s\n' "$$told"; exit $$code

lint: $(READY) ## Format, lint, types twice, import arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory $(if $(findstring j,$(MAKEFLAGS)),,-j 2) -k mypy pyright

# Beside one another: each takes one core, and what it says is one line if all is well.
mypy: $(READY)
	$(BIN)/mypy

pyright: $(READY)
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(READY) ## Measure, into bench/out/latest.json
	$(BIN)/python -m bench.run

layers: $(READY) ## Measure each layer by itself
	$(BIN)/pytest -q bench/layers.py \
		--benchmark-columns=min,median,iqr,rounds --benchmark-sort=fullname --benchmark-time-unit=us

fmt: $(READY) ## Format the code and sort the imports
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

helm: $(READY) ## Install Helm with Go, for the tests of the chart
	GOBIN=$(abspath $(BIN)) go install helm.sh/helm/v3/cmd/helm@v3.22.0

KUBERNETES := k8s.io/component-base/version
apiserver: $(READY) ## Build a real API server with Go, for tests; takes minutes
	cd tests/e2e/kubernetes && export CGO_ENABLED=0 GOFLAGS="-buildvcs=false -mod=mod" && \
		go build -ldflags "-s -w" -o $(abspath $(BIN))/etcd go.etcd.io/etcd/server/v3 && \
		go build -ldflags "-s -w -X $(KUBERNETES).gitVersion=v1.36.3 -X $(KUBERNETES).gitMajor=1 \
		-X $(KUBERNETES).gitMinor=36" -o $(abspath $(BIN))/kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver

protos: $(READY) ## Generate the protobuf descriptors from their .proto files again
	$(BIN)/python -m headrace.host.extproc.proto.generate

clean: ## Remove everything that can be made again
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache bench/out

# Installed again only when the dependencies change; an interrupted install leaves no stamp.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "headrace needs Python 3.11 or later: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
