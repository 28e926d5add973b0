# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/demo
# Files of tests, in the order of tests/conftest.py, to the process that is free.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder
# Modules are compiled once and kept, even where the environment says otherwise: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-fast coverage fuzz robustness figures docs lint types chromium docs-pictures notebooks dist clean

demo: $(VENV)/.installed
	$(BIN)/illures decompose src/illures/assets/astronaut.jpg -o $(OUT)
	@echo
	@echo "Look at $(OUT)/astronaut/sheet.png; the maps lie beside it."

test: $(VENV)/.installed-dev lint types chromium
	$(BIN)/python -m pytest $(WORKERS)

# Without the tests marked slow (tests/conftest.py): for every change while working.
test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(WORKERS) --cov=illures --cov-report=term:skip-covered

# Damaged files of N seeds to every decoder; prints what became of them.
N ?= 2000
fuzz: $(VENV)/.installed-dev
	$(BIN)/python tests/fuzz/run.py $(N)

# Ends the commands that work long at random moments, and runs them in hostile surroundings; prints what became of them.
# With LOG=FILE a run that was ended goes on from there.
KILLS ?= 50
robustness: $(VENV)/.installed-dev
	$(BIN)/python tests/robustness/run.py $(KILLS) $(if $(LOG),--log $(LOG))

# What tests hold the weights in the package to; to be renewed when these change.
figures: $(VENV)/.installed-dev
	$(BIN)/python tests/stored_figures.py

docs: $(VENV)/.installed-dev
	$(BIN)/mkdocs build --strict

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# The studio's page is tested in a real browser: Debian's, installed where that is allowed.
chromium:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && echo "installing Debian's chromium, to test the studio's page" \
	  && timeout 300 sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium' >/dev/null 2>&1; } \
	  || echo "no Chromium here, and it may not be installed: the studio's page will not be tested"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { echo "no venv module: on Debian, apt install python3-venv"; exit 1; }

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q .
	touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[dev]"
	touch $@ $(VENV)/.installed

docs-pictures: $(VENV)/.installed-dev
	$(BIN)/python scripts/docs_pictures.py

# The notebooks of examples/, run again, outputs kept.
notebooks: $(VENV)/.installed-dev
	$(BIN)/python scripts/run_notebooks.py

# sdist and wheel in dist/, checked by twine.
dist: $(VENV)/.installed-dev
	$(BIN)/python scripts/check_distributions.py

clean:
	rm -rf $(VENV) out build src/*.egg-info
