# Every target does its own set-up in .venv, and none of them needs it activated.
# Another interpreter: make test PY=python3.12. Some of the tests: make test ARGS="-k jws".

VENV := .venv
BIN := $(VENV)/bin
INPUTS := requirements/uv.txt pyproject.toml tools/setup.sh
GOAL := $(firstword $(MAKECMDGOALS))
# The folders that are checked like the source, as far as they hold Python.
CODE := $(foreach room,src tests bench examples fuzz,$(if $(wildcard $(room)/*.py $(room)/*/*.py),$(room)))
SETUP = @PY='$(PY)' GOAL='$(GOAL)' sh tools/setup.sh
COMPILE := $(BIN)/uv pip compile -q --universal -p 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

.PHONY: help demo test check lint bench torture docs lock clean FORCE

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(firstword $(MAKEFILE_LIST)) | awk -F'	' '{ printf "make %-7s %s\n", $$1, $$2 }'

demo: $(VENV)/server.stamp  ## start annul with a demonstration on this machine
	@$(BIN)/annul demo $(ARGS)

test: $(VENV)/dev.stamp  ## run the tests (ARGS="-k name" for some of them)
	@$(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadgroup $(ARGS)

check: lint test  ## everything that has to pass before a change goes in

lint: $(VENV)/dev.stamp  ## format, lint, types, import contracts, documentation
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/zensical build --strict --clean

bench: $(VENV)/dev.stamp  ## measure, and print ratios against the bare primitives
	@$(BIN)/python bench/run.py $(ARGS)

torture: $(VENV)/dev.stamp  ## look for broken promises (ARGS="valkey-kills --times 200", ARGS="--seeds 10000", ARGS=--bugs)
	@$(BIN)/python tools/torture.py --jobs 2 $(ARGS)

docs: $(VENV)/dev.stamp  ## build the documentation into site/
	@$(BIN)/zensical build --strict --clean

# Pins stay as they are unless something forces them: make lock ARGS=--upgrade moves them all.
lock:  ## compile the lock files from pyproject.toml (ARGS=--upgrade for newer versions)
	$(SETUP) uv
	$(COMPILE) $(ARGS) --group uv -o requirements/uv.txt
	$(COMPILE) $(ARGS) pyproject.toml --all-extras -o requirements/run.txt
	$(COMPILE) $(ARGS) pyproject.toml --extra server --extra redis --extra postgres --extra http --group dev \
		-c requirements/run.txt -o requirements/dev.txt
	$(COMPILE) $(ARGS) pyproject.toml --extra server --group build \
		-c requirements/dev.txt -o requirements/server.txt

clean:  ## remove the environment, the caches and everything built
	@rm -rf $(VENV) site dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find $(wildcard src tests bench examples fuzz) -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps decide, unless an interpreter is named or the one in .venv has gone.
LOOK := $(if $(PY),FORCE,$(if $(realpath $(BIN)/python),,FORCE))

$(VENV)/server.stamp: requirements/server.txt $(INPUTS) $(LOOK)
	$(SETUP) server

$(VENV)/dev.stamp: requirements/dev.txt $(INPUTS) $(LOOK)
	$(SETUP) dev
