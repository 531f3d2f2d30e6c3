# Every target installs what it needs, into .venv and .venv-sam. `make` alone lists the targets.

PYTHON ?= python3
PORT ?= 8080
SVG ?=
SECRET ?=
SECONDS ?= 60
SEED ?=
ROUNDS ?= 9
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export SAM_CLI_TELEMETRY := 0

UV := .venv/.uv
DEV := .venv/.installed
SAM := .venv-sam/.installed
IS_313 := -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'
COMPILE := .venv/bin/uv pip compile --quiet --python-version 3.13 --universal --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header $(LOCK_FLAGS)

.PHONY: help install run demo test simulate bench check format lock build deploy contract clean
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(DEV)  ## create or update the development environment

run: $(DEV)  ## run the whole stack on this machine with sample bookings; PORT=… SECRET=…; Ctrl-C stops it
	@.venv/bin/bookings local run --port $(PORT)
run: export SECRET := $(SECRET)

demo: $(DEV)  ## run the whole stack once and stop; fails unless every booking arrived; SVG=… writes a picture
	@.venv/bin/bookings local demo $(if $(SVG),--svg $(SVG))

test: $(DEV)  ## run every test, with coverage
	@.venv/bin/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term

simulate: $(DEV)  ## run random schedules of the pipeline in virtual time; SECONDS=… how long, SEED=… prints one
	@.venv/bin/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seconds $(SECONDS))

bench: $(DEV)  ## measure cold start, warm call and memory beside other receivers; minutes; ROUNDS=… SEED=…
	@.venv/bin/python -m benchmarks --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

check: $(DEV) $(SAM)  ## check style, types, imports, templates, workflows and secrets
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo --no-cache
	.venv/bin/cfn-lint template.yaml examples/*/*.yaml
	.venv-sam/bin/sam validate --lint
	@$(MAKE) --no-print-directory build
	.venv/bin/shellcheck --enable=all .ci/run
	.venv/bin/zizmor --quiet --offline --persona pedantic .github/workflows
	@# Tests and samples are left out: their made-up ids look like secrets.
	git ls-files -z ':!tests' ':!events' ':!*.txt' ':!*.json' | xargs -0 .venv/bin/detect-secrets-hook --no-verify \
		$(addprefix --disable-plugin ,HexHighEntropyString IPPublicDetector KeywordDetector)

format: $(DEV)  ## format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: $(DEV)  ## pin and hash the requirements again; LOCK_FLAGS=--upgrade takes the newest versions
	$(COMPILE) pyproject.toml --extra dev -o requirements/dev.txt
	$(COMPILE) --group uv -c requirements/dev.txt -o requirements/uv.txt
	$(COMPILE) --group sam -o requirements/sam.txt
	$(COMPILE) --group=bench-{lambda,powertools,fastapi} -c requirements/dev.txt -o requirements/benchmarks.txt
	$(COMPILE) layers/runtime/requirements.in -c requirements/dev.txt -o layers/runtime/requirements.txt

build: $(SAM)  ## build the functions and the layer (sam build)
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv-sam/bin/sam build

deploy: build  ## build and deploy a stack of samconfig.toml; ARGS="--config-env dev"
	@.venv-sam/bin/sam deploy $(ARGS)

contract: $(DEV)  ## write the schemas, AsyncAPI, OpenAPI and the table of fields in docs/ from the models
	.venv/bin/python -m cli.contract

clean:  ## remove everything that was installed or built here
	rm -rf .venv .venv-sam .aws-sam .local .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(UV): requirements/uv.txt
	@$(PYTHON) $(IS_313) 2>/dev/null || { \
		echo "Python 3.13 is needed; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not there)." \
			"Say which with PYTHON=…, such as PYTHON=python3.13" >&2; exit 1; }
	@echo "Installing .venv (pinned, hashed) …"
	@.venv/bin/python $(IS_313) 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt || { \
		echo "Nothing could be installed. Is the package registry reachable from here? PIP_INDEX_URL (for pip) and" \
			"UV_DEFAULT_INDEX (for uv) name another one." >&2; exit 1; }
	@touch $@

$(DEV): $(UV) requirements/dev.txt pyproject.toml
	@.venv/bin/uv pip sync --quiet --python .venv --require-hashes requirements/dev.txt
	@.venv/bin/uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@

$(SAM): $(UV) requirements/sam.txt
	@echo "Installing .venv-sam (pinned, hashed) …"
	@.venv/bin/uv venv --quiet --clear --python .venv/bin/python .venv-sam
	@.venv/bin/uv pip sync --quiet --python .venv-sam --require-hashes requirements/sam.txt
	@touch $@
