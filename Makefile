# Two commands: `make run` and `make test`. Each sets everything up first; the second time there is nothing to do.
# Another Python: make test PYTHON=python3.13
#
# Every path here is relative, so the checkout may lie in a folder with blanks in its name.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test lint types readme build bench-models bench-runner bench-batch setup python clean

# The first Python that is new enough, unless one is named.
FIND_PYTHON = for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; exit; }; done
PYTHON ?= $(shell $(FIND_PYTHON))
VERSION := $(if $(PYTHON),$(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null))
VENV := .venv/$(VERSION)
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help:
	@echo "make run     set everything up and test the ideas in ideas/ideas.txt"
	@echo "make test    set everything up and run the tests"
	@echo "make lint    style;  make types  strict types;  make readme  its outputs anew;  make build  the wheel;  make bench-models  what a call costs;  make bench-runner  what a backtest costs;  make bench-batch  what a batch costs;  make clean  start over"

run: setup
	@$(BIN)/python -m rbi run

test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: setup
	@$(BIN)/python -m ruff check . && $(BIN)/python -m ruff format --check .

types: setup
	@$(BIN)/python -m mypy

readme: setup
	@$(BIN)/python docs/refresh_readme.py

bench-models: setup
	@$(BIN)/python benchmarks/calls.py && $(BIN)/python benchmarks/limiter.py

bench-runner: setup
	@$(BIN)/python benchmarks/runner.py

bench-batch: setup
	@$(BIN)/python benchmarks/batch.py

build: setup
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

setup: python $(READY)

python:
	@if [ -z "$(VERSION)" ]; then \
		echo "rbi needs Python 3.11 or newer$(if $(PYTHON), and cannot run '$(PYTHON)'); install one or name it: make run PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' || { \
		echo "rbi needs Python 3.11 or newer; '$(PYTHON)' is $(VERSION). Name another: make run PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "'$(PYTHON)' has no venv module; install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }

# The stamp is written last: a set-up that was interrupted is done again from the start.
$(READY): pyproject.toml constraints.txt
	@echo "setting up $(VENV) (once, about a minute)"
	@rm -rf "$(VENV)" && "$(PYTHON)" -m venv "$(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m rbi env create --env venv >/dev/null
	@touch $(READY)

clean:
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
