# Throughline: everything a person or a machine runs. `make help` lists it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# processes that share a test run: more than the cores it was measured on, for much of it waits for servers;
# with four of them the two cores were so full that servers missed their time
SHARED := -n 3
# the proofs that go by a seed (FAULT_SEED)
SEEDED := $(addprefix tests/faults/test_,refusals.py kills.py shapes.py outages.py)
export PYTHONUNBUFFERED := 1
unexport PYTHONDONTWRITEBYTECODE  # or each of the many processes of a test run compiles our modules anew

.PHONY: help run demo native test test-fast test-pages test-zoo soak check bench bench-elasticsearch bench-peers bench-tracing lock clients

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.runtime: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

run: $(VENV)/.runtime ## start receiver, web, worker and beat; prints a sign-in link
	@exec $(BIN)/python manage.py run

demo: $(VENV)/.runtime ## run, plus match day: a betting company with a story to find
	@exec $(BIN)/python -m examples.matchday.demo

$(VENV)/.native: native/Cargo.toml native/Cargo.lock native/pyproject.toml native/requirements.txt $(wildcard native/src/*.rs) $(VENV)/.runtime
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs and run this again" >&2; exit 1; }
	@echo "Building the native decoder (once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r native/requirements.txt
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall ./native
	@touch $@

native: $(VENV)/.native ## build the decoder in Rust, for a node that takes in much; optional, needs Rust

check: $(VENV)/.dev ## ruff, mypy, import contracts, house tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/pytest -q tests/house -p no:randomly

clients: $(VENV)/.runtime ## install what the tests use besides Python: real clients and a browser
	@bash tests/install.sh

test-fast: $(VENV)/.dev $(VENV)/.native ## what needs no server and no browser
	$(BIN)/pytest -q -m "not server and not pages and not slow and not soak"

test-pages: $(VENV)/.dev $(VENV)/.native clients ## the pages in a real Chromium, on both stores
	$(BIN)/pytest -q -m "pages and not soak"
	PAGES_STORE=elasticsearch $(BIN)/pytest -q -m "pages and not soak"

test-zoo: $(VENV)/.dev $(VENV)/.native clients ## one story through Kafka's three clients, pika, aio-pika, Celery, Redis streams and Django, ours and stock, on real brokers
	$(BIN)/pytest -q tests/zoo

test: ## everything
	@$(MAKE) --no-print-directory --jobs 2 clients check native  # while one of them downloads, the other computes
	$(BIN)/pytest $(SHARED)

soak: $(VENV)/.dev $(VENV)/.native clients ## the long form of the proofs: hours of faults, kills, loads and fuzzing
	@bash tests/clients/collector.sh
	$(BIN)/pytest -q -p no:randomly -m soak --timeout 0
	for seed in $$(seq 20); do FAULT_SEED=$$seed $(BIN)/pytest -q -p no:randomly $(SEEDED) || exit 1; done

bench: $(VENV)/.dev $(VENV)/.native ## figures and ratios, into benchmarks/results/
	$(BIN)/python -m benchmarks.run

bench-elasticsearch: $(VENV)/.dev $(VENV)/.native ## the same on a real Elasticsearch, beside its floor
	$(BIN)/python -m benchmarks.cluster

bench-peers: $(VENV)/.dev $(VENV)/.native ## ours beside Jaeger and Zipkin, each before an Elasticsearch; builds Jaeger once
	$(BIN)/python -m benchmarks.peers

bench-tracing: $(VENV)/.dev clients ## what tracing adds to a message, beside the plain client and the stock packages
	$(BIN)/python -m benchmarks.tracing
	$(BIN)/python -m benchmarks.tracing_sdk

lock: $(VENV)/.dev ## pin the dependencies anew
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --upgrade requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --upgrade requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --upgrade tests/zoo/stock.in -o tests/zoo/stock.txt
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --upgrade native/requirements.in -o native/requirements.txt
