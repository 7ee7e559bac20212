VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test lint bench docs install

demo: install  ## every study at its smallest size on real images, then one HTML page
	$(BIN)/shatterlab run all --scale demo --store demo-runs
	$(BIN)/shatterlab report --store demo-runs

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

test: $(VENV)/installed-dev
	$(BIN)/pytest -n 2

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed  ## the site, in site/
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/installed-dev  ## needs CIFAR-10 where shatterlab finds it
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python bench/epoch.py
	$(BIN)/python bench/stacking.py
	$(BIN)/python bench/store.py
	$(BIN)/python bench/augmentation.py
	$(BIN)/python bench/kernels.py
	$(BIN)/python bench/answers.py
