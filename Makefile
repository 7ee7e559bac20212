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
	@echo "Site: $(CURDIR)/site/index.html"

bench: $(VENV)-bench/installed  ## needs CIFAR-10 where shatterlab finds it
	$(VENV)-bench/bin/python bench/epoch.py
	$(VENV)-bench/bin/python bench/stacking.py
	$(VENV)-bench/bin/python bench/scaling.py
	$(VENV)-bench/bin/python bench/store.py
	$(VENV)-bench/bin/python bench/augmentation.py
	$(VENV)-bench/bin/python bench/kernels.py
	$(VENV)-bench/bin/python bench/answers.py

# An environment of its own: the torchvision of the tests, beside a CPU-only torch, keeps Lightning from being imported.
$(VENV)-bench/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]"
	touch $@
