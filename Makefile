VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
LOCKED = $(PIP) --no-deps --require-hashes --requirement

.PHONY: demo test lint bench soak docs install lock audit wheel-check

demo: install  ## every study at its smallest size on real images, then one HTML page
	$(BIN)/shatterlab run all --scale demo --store demo-runs
	$(BIN)/shatterlab report --store demo-runs

install: $(VENV)/installed

# Everything comes by its hash, see requirements/lock.py: torch without NVIDIA's libraries where pip finds that build.
$(VENV)/installed: pyproject.toml requirements/cpu.txt requirements/cuda.txt requirements/demo.txt
	$(PYTHON) -m venv $(VENV)
	$(LOCKED) requirements/cpu.txt 2> /dev/null || { \
	    echo "No torch for the CPU alone was found here: taking PyPI's, with NVIDIA's libraries on Linux."; \
	    $(LOCKED) requirements/cuda.txt; }
	$(LOCKED) requirements/demo.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements/test.txt
	$(LOCKED) requirements/test.txt
	touch $@

$(VENV)-lock/installed:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check uv==0.13.9 pip-audit==2.10.1
	touch $@

lock: $(VENV)-lock/installed  ## the hashes of the versions in constraints.txt; after a change of these or of pyproject.toml
	$(VENV)-lock/bin/python requirements/lock.py

audit: $(VENV)-lock/installed  ## known vulnerabilities of the locked versions; asks PyPI
	$(VENV)-lock/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements/test.txt

wheel-check: $(VENV)-lock/installed  ## the wheel outside of the repository, with the oldest and the newest packages
	$(VENV)-lock/bin/python requirements/check_wheel.py

test: $(VENV)/installed-dev
	$(BIN)/pytest -n 2 --dist worksteal

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

soak: $(VENV)/installed-dev  ## a million damaged files, kills, power cuts (as root) and crowds: two hours
	$(BIN)/python soak/files.py --inputs 1000000
	$(BIN)/python soak/kills.py --kills 200
	$(BIN)/python soak/power.py --cuts 20
	$(BIN)/python soak/many.py --processes 8

# An environment of its own: the torchvision of the tests, beside a CPU-only torch, keeps Lightning from being imported.
$(VENV)-bench/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]"
	touch $@
