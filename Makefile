# The only task list. `make` alone prints it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Several processes share the machine; threads of linear algebra that wait for each other cost more than they bring.
export OPENBLAS_NUM_THREADS ?= 1

VENV := .venv
BIN := $(VENV)/bin
DATA ?= opportune-data/demo
SERVE ?= 1
WORKERS ?= 3
REPORTS := build/reports
BENCH := build/bench
WORLD ?= static60
SEEDS ?= 5
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV ?= $(firstword $(wildcard $(BIN)/uv) uv)
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url

.PHONY: help setup setup-dev demo test lint installed slow ci golden bench peers bench-learners docs lock clean

help: ## list the tasks
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.runtime ## install what the program needs into .venv

setup-dev: $(VENV)/.dev ## install what tests, lint and docs need as well

demo: setup ## play the demo in DATA=opportune-data/demo, then serve its pages (SERVE=0: do not)
	$(BIN)/opportune demo --data "$(DATA)" $(if $(filter 0,$(SERVE)),--no-serve)

lint: setup-dev ## format, lint, types, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## lint, then every test but the slow ones, on the embedded PostgreSQL
	$(BIN)/pytest -m "not slow and not installed" -n $(WORKERS) --dist loadscope

# Counting lines takes half as long again: that is done here alone.
installed: setup-dev ## the same tests on an installed PostgreSQL, then the coverage gate
	@mkdir -p $(REPORTS)
	$(BIN)/pytest -m "not slow and not embedded" -n $(WORKERS) --dist loadscope --cov --cov-report= --cov-report=json:$(REPORTS)/coverage.json
	$(BIN)/python tests/house/coverage_gate.py $(REPORTS)/coverage.json

slow: setup-dev $(VENV)/.spark ## the tests that need minutes: kills, volumes, known truth at full size
	$(BIN)/pytest -m "slow and not installed" -n $(WORKERS) --dist loadgroup --timeout 1800

ci: test installed slow ## everything the build runs

golden: setup-dev ## rewrite the golden files; review reads the difference
	GOLDEN=rewrite $(BIN)/pytest -m "not slow and not installed" -n 0 $$(grep -rl --include='test_*.py' GOLDEN tests)

bench: setup ## run every benchmark; each prints its table and leaves build/bench/NAME.json
	@mkdir -p $(BENCH)
	@shopt -s nullglob; for file in benchmarks/[a-z]*.py; do \
	  name=$$(basename "$$file" .py); echo "== $$name"; \
	  $(BIN)/python "$$file" --json "$(BENCH)/$$name.json"; \
	done

peers: .venv-peers/.ready ## install the learners of other libraries, apart from the packages of .venv

bench-learners: setup peers ## our learner beside them on WORLD=static60 with SEEDS=5, in one table
	@mkdir -p $(BENCH)
	$(BIN)/python benchmarks/learners/compare.py --world $(WORLD) --seeds $(SEEDS) --json $(BENCH)/learners.json

docs: setup-dev ## regenerate the reference pages
	$(BIN)/cog -r -I docs docs/reference/*.md

lock: ## resolve requirements anew and write the hashed locks
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: $(BIN)/python -m pip install uv"; exit 1; }
	$(LOCK) --upgrade --extra embedded -o requirements/runtime.lock -c requirements/limits.in pyproject.toml requirements/build.in
	$(LOCK) --upgrade --extra embedded --extra spark --extra trees --extra wabbit -o requirements/dev.lock -c requirements/runtime.lock \
	  pyproject.toml requirements/build.in requirements/dev.in
	$(LOCK) --upgrade -o requirements/spark.lock requirements/spark.in
	$(LOCK) --upgrade -o requirements/peers.lock requirements/peers.in

clean: ## remove what was built; keeps .venv and every data folder
	rm -rf build dist src/*.egg-info .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis
	find src tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@found=; for candidate in $(PYTHON) python3.11 python3 python3.12 python3.13; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Opportune needs Python 3.11 or newer; none was found. On Debian or Ubuntu: apt-get install python3 python3-venv"; \
	  echo "If it is installed under another name: make setup PYTHON=/path/to/python3"; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	  version=$$("$$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$found cannot make virtual environments. On Debian or Ubuntu: apt-get install python$$version-venv (or python3-venv)"; exit 1; \
	fi; \
	"$$found" -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python requirements/runtime.lock pyproject.toml
	$(PIP_INSTALL) --require-hashes -r requirements/runtime.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	$(BIN)/python -c 'from opportune.policies import warm_up; warm_up()'
	@touch $@

# A Spark server to test with, apart from the packages of .venv because its client has the same name.
$(VENV)/.spark: requirements/spark.lock $(VENV)/.dev
	@if command -v java >/dev/null; then \
	  $(PIP_INSTALL) --require-hashes --no-build-isolation --upgrade --target $(VENV)/spark -r $<; touch $@; \
	elif [ -n "$${CI-}" ]; then echo "There is no Java, which the tests on Spark need: install default-jre-headless."; exit 1; \
	else echo "There is no Java: the tests on Spark are skipped."; fi

# obp declares that it wants Python below 3.11 and exact old versions; its estimators need neither.
.venv-peers/.ready: requirements/peers.lock requirements/obp.lock $(BIN)/python
	@test -x .venv-peers/bin/python || $(BIN)/python -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	  --ignore-requires-python -r requirements/obp.lock
	@touch $@

$(VENV)/.dev: $(BIN)/python requirements/dev.lock pyproject.toml
	$(PIP_INSTALL) --require-hashes -r requirements/dev.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime
