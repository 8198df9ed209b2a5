# make live: set up, then the demonstrator.   make test: set up, then the tests.   make check: what CI runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: live test lint check clean

live: $(READY)
	$(BIN)/python live.py $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: lint test

# The set-up is complete or not there: a broken download is tried again the next time.
$(READY): requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
