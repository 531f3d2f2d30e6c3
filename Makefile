# Everything is installed by itself, into .venv, .venv-sam and .venv-scan; a second call does nothing.
# `make` alone lists the commands.

PYTHON ?= python3
PORT ?= 8080
SECRET ?=
SECONDS ?= 60
MODULES ?=
SEED ?=
KILLS ?= 1000
ROUNDS ?= 9
CONNECTIONS ?=
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export SAM_CLI_TELEMETRY := 0

DEV := .venv/.installed
SAM := .venv-sam/.installed
SCAN := .venv-scan/.installed
COMPILE := .venv/bin/uv pip compile --quiet --python-version 3.13 --universal --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header $(LOCK_FLAGS)

.PHONY: help install run demo test simulate exhaustive kills fuzz mutate bench load check audit format lock build deploy openapi \
	schema clean
help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(DEV)  ## create or update the development environment

run: $(DEV)  ## the whole stack on this machine, with sample bookings; PORT=… SECRET=… choose; Ctrl-C ends it
	@.venv/bin/bookings local run --port $(PORT)
run: export SECRET := $(SECRET)

demo: $(DEV)  ## the same, ending by itself; exit 0 only if everything arrived
	@.venv/bin/bookings local demo

test: $(DEV)  ## every test, with coverage
	@.venv/bin/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term

simulate: $(DEV)  ## the pipeline in virtual time, fresh seeds; SECONDS=… how long, SEED=… tells the story of one
	@.venv/bin/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seconds $(SECONDS))

exhaustive: $(DEV)  ## every interleaving, duplicate and crash point of small worlds; some minutes
	@.venv/bin/python -m tests.simulation.exhaustive

kills: $(DEV)  ## the built functions, killed at random instants; KILLS=… how often, SEED=… repeats the deliveries
	@.venv/bin/python -m tests.kills --kills $(KILLS) $(if $(SEED),--seed $(SEED))

fuzz: $(DEV)  ## hostile requests and signed garbage, on from the corpus; SECONDS=… how long
	@.venv/bin/python -m tests.hostile --seconds $(SECONDS)

mutate: $(DEV)  ## changes the code that decides about a booking, and sees the unit tests fail; a quarter of an hour
	@.venv/bin/python -m tests.mutation $(MODULES)

bench: $(DEV)  ## what it costs, beside other receivers; some minutes; ROUNDS=… how many, SEED=… repeats the order
	@.venv/bin/python -m benchmarks --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

load: $(DEV)  ## the built webhook and the local stack under load, minutes; SECONDS=… of the soak, CONNECTIONS=1,4,16
	@.venv/bin/python -m benchmarks.load --seconds $(SECONDS) $(if $(CONNECTIONS),--connections $(CONNECTIONS))

check: $(DEV) $(SAM) $(SCAN)  ## lint, types, templates, the tree's rules, scanners, counts that must not grow
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/cfn-lint template.yaml examples/subscriber/template.yaml
	.venv-sam/bin/sam validate --lint
	.venv/bin/python -m pytest -q tests/unit/test_imports.py tests/unit/test_requirements.py
	@# What bandit rates low is ruff's rules S, which are on.
	.venv/bin/bandit --quiet --recursive --severity-level medium layers/runtime/bookings functions cli examples benchmarks
	.venv/bin/shellcheck --enable=all .ci/run
	.venv/bin/zizmor --quiet --offline --persona pedantic .github/workflows
	.venv/bin/python -m tests.scanners.secrets
	.venv/bin/python -m tests.scanners.templates
	.venv/bin/python -m tests.scanners.audit --or-skip
	.venv/bin/python -m benchmarks.guard

audit: $(DEV)  ## known vulnerabilities of the pinned packages; fails where they could not be looked up
	@.venv/bin/python -m tests.scanners.audit

format: $(DEV)  ## put the code into its form
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

build: $(SAM)  ## sam build
	PYTHON="$(CURDIR)/.venv-sam/bin/python" .venv-sam/bin/sam build

deploy: build  ## sam build && sam deploy; ARGS="--guided" the first time, ARGS="--config-env prod" later
	.venv-sam/bin/sam deploy $(ARGS)

openapi: $(DEV)  ## write docs/openapi.yaml anew, from the models
	.venv/bin/python -m cli.openapi

schema: $(DEV)  ## write the schema by which the functions validate anew, from the models
	.venv/bin/python -m cli.schema

lock: $(DEV)  ## renew the pinned, hashed requirements; LOCK_FLAGS=--upgrade for the newest
	cd requirements && ../$(COMPILE) dev.in -o dev.txt
	cd layers/runtime && ../../$(COMPILE) -c ../../requirements/dev.txt requirements.in -o requirements.txt
	cd requirements && ../$(COMPILE) -c dev.txt uv.in -o uv.txt
	cd requirements && ../$(COMPILE) sam.in -o sam.txt
	cd requirements && ../$(COMPILE) scan.in -o scan.txt
	cd benchmarks/runtime && ../../$(COMPILE) -c ../../requirements/dev.txt requirements.in -o requirements.txt
	for peer in idiomatic fastapi_mangum; do (cd benchmarks/peers/$$peer && \
		../../../$(COMPILE) -c ../../../requirements/dev.txt requirements.in -o requirements.txt); done

clean:  ## remove what was built or installed here
	rm -rf .venv .venv-sam .venv-scan .aws-sam .local .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis

# An environment is made anew when its Python is not the one asked for, else brought up to date.
define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || { \
	echo "Python 3.13 is needed; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not there)." \
		"Say which with PYTHON=…, such as PYTHON=python3.13" >&2; exit 1; }
@echo "Installing $(1) (pinned, hashed) …"
@$(1)/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
	|| $(PYTHON) -m venv --clear $(1)
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt || { \
	echo "Nothing could be installed. Is the package registry reachable from here? PIP_INDEX_URL (for pip) and" \
		"UV_DEFAULT_INDEX (for uv) name another one." >&2; exit 1; }
@VIRTUAL_ENV=$(1) $(1)/bin/uv pip $(2) --quiet --require-hashes $(3)
endef

$(DEV): requirements/dev.txt requirements/uv.txt pyproject.toml
	$(call environment,.venv,sync,requirements/dev.txt)
	@VIRTUAL_ENV=.venv .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(SAM): requirements/sam.txt requirements/uv.txt
	$(call environment,.venv-sam,install,-r requirements/sam.txt)
	@touch $@

$(SCAN): requirements/scan.txt requirements/uv.txt
	$(call environment,.venv-scan,install,-r requirements/scan.txt)
	@touch $@
