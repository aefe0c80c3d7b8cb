# One command for everything. `make help` reads the `##` comments below.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
CONFIG ?= $(firstword $(wildcard config.toml workers.toml) config.example.toml)
FAST := not slow and not services and not faults and not e2e and not benchmark
WORKERS_IN_TESTS ?= auto
# The whole suite waits a lot (servers that are paused, leases that run out): twice as many testers as processors.
TESTERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
ARGS ?=

# Each stamp stands for an installation; a change of pyproject.toml makes it stale.
CORE := .venv/.installed-core
FULL := .venv/.installed-full

$(CORE): pyproject.toml .ci/setup
	@[ $(FULL) -nt pyproject.toml ] || .ci/setup
	@touch $@

$(FULL): pyproject.toml .ci/setup
	@.ci/setup dev,services
	@touch $(CORE) $@

.PHONY: help setup demo run format lint types test check bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(FULL) ## make .venv with everything (once; again when pyproject.toml changes)

demo: $(CORE) ## lay out a small project, run jobs and tasks in it for real and show the results
	@$(BIN)/python -m netscript_workers.cli.demo $(ARGS)

run: $(CORE) ## start the daemon with config.toml, or with the example when there is none
	@$(BIN)/workers combined --config $(CONFIG) $(ARGS)

format: $(FULL) ## put every file into the one format, and mend what can be mended safely
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lint: $(FULL) ## check format, lint rules and the layers of the package
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@report=$$(PYTHONPATH=. $(BIN)/lint-imports) || { echo "$$report"; exit 1; }; tail -n 1 <<< "$$report"

types: $(FULL) ## check types, strictly
	@$(BIN)/pyright

test: $(FULL) ## install all that the tests need and run the whole suite
	@.ci/services
	@$(BIN)/pytest -m "not benchmark" -n $(TESTERS) --dist loadfile $(ARGS)

check: lint types ## what must pass before every commit: lint, types, fast tests
	@$(BIN)/pytest -m "$(FAST)" -n $(WORKERS_IN_TESTS) $(ARGS)

bench: $(CORE) ## measure rates, latency and memory on this machine
	@$(BIN)/workers bench $(ARGS)

clean: ## remove what was built or cached, .venv included
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info
	@find netscript_workers tests -name __pycache__ -type d -prune -exec rm -rf {} +
