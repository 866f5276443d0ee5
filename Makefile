# The commands a person types; CI runs the same ones.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --quiet

.PHONY: help demo test check bench soak docs lock clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

$(VENV)/run.ok: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Vibeboard needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Vibeboard into $(VENV) (first time only) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.ok: requirements-dev.lock $(VENV)/run.ok
	@echo "Installing what the tests and linters need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/run.ok ## the main job on this machine: no credentials, no Docker, no internet
	@$(BIN)/vibeboard demo $(ARGS)

test: $(VENV)/dev.ok ## set up and run the tests
	@# Most tests wait for processes of their own: more of them than cores.
	@$(BIN)/python -m pytest -n 6 --dist worksteal $(ARGS)

check: $(VENV)/dev.ok ## linters of code and workflows, types and layers, as CI runs them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --quiet --persona pedantic workflows/*.yml action/action.yml action/preview/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action/action.yml action/preview/action.yml
	$(BIN)/act --validate --strict --workflows workflows

bench: $(VENV)/dev.ok ## ratios against peers in one run; ARGS="intake" chooses
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/dev.ok ## thousands of deliveries while servers and databases die; ARGS="--deliveries 500"
	@$(BIN)/python -m tests.soak $(ARGS)

docs: $(VENV)/dev.ok ## write the reference pages and the pictures again
	$(BIN)/python docs/make.py
	$(BIN)/python docs/pictures/make.py

lock: ## refresh the lock files (needs uv in the venv)
	$(UV_COMPILE) pyproject.toml --group build --extra demo -o requirements.lock
	$(UV_COMPILE) pyproject.toml --group build --extra demo --group test --group lint -c requirements.lock -o requirements-dev.lock
	$(UV_COMPILE) --group action -c requirements.lock -o action/requirements.lock

clean: ## remove what was installed and built
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache
