# `make demo` and `make test` do all set-up on a bare machine: they need make, Python 3.11–3.13 with venv, and a package registry.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export TF_CPP_MIN_LOG_LEVEL ?= 3
# Empty is off. Without bytecode each process compiles TensorFlow anew, for longer than the import takes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast engines test-engines coverage docs lint format lock protos clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Simulated logs to a ranked list, end to end: simulate, run, serve, rank (about 2 minutes)
	$(BIN)/python demo.py

# Files of tests are shared out among processes, of which each grows to several GB.
IN_PROCESSES := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(INSTALLED) ## All tests, on up to four processors
	$(BIN)/python -m pytest $(IN_PROCESSES)

coverage: $(INSTALLED) ## All tests, with the share of lines and branches that they run: htmlcov/index.html
	$(BIN)/python -m pytest $(IN_PROCESSES) --cov --cov-report=term:skip-covered --cov-report=html

test-fast: $(INSTALLED) ## Unit tests without TensorFlow
	$(BIN)/python -m pytest -m "not slow and not tensorflow"

engines: $(INSTALLED) ## Fetch Flink, Beam's job server, Kafka and a storage emulator for tests, into FULCRUM_ENGINES or the user's cache
	$(BIN)/python -m tests.engines.fetching

test-engines: $(INSTALLED) ## The tests that run on real engines; they skip what `make engines` has not fetched
	$(BIN)/python -m pytest -m engines

docs: $(INSTALLED) ## The documentation as a site: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(INSTALLED) ## ruff, mypy and the import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Locked versions stay as they are where they still fit; `make lock UPGRADE=--upgrade` moves them to the newest.
lock: $(INSTALLED) ## Resolve the dependencies of setup.py, all extras, into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --all-extras --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links $(UPGRADE) -o requirements.lock

protos: $(INSTALLED) ## Take the message types that the client speaks from the installed packages, after an update of them
	$(BIN)/python -m serving.protos

clean: ## Remove the virtual environment and what the demo wrote
	rm -rf $(VENV) demo_run site

# The lock is complete, so no resolver runs. uv is quick; where it cannot be had, pip does the same in a few minutes. With its
# configuration uv would put the overrides of pyproject.toml, which are ranges, in the place of locked versions.
$(INSTALLED): requirements.lock setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed; $(PYTHON) is {v[0]}.{v[1]}. Choose one with make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo "Python needs its venv module: apt-get install python3-venv"; exit 1; }
	@echo "Installing the locked dependencies into $(VENV) …"
	@$(BIN)/python -m pip install --quiet uv || echo "uv cannot be had; pip installs instead"
	@if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install --quiet --no-config --python $(BIN)/python --no-deps -r requirements.lock; \
	else $(BIN)/python -m pip install --quiet --no-deps -r requirements.lock; fi
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
