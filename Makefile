PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# A processor's build of torch is enough; where it is not the registry's default, say
# `make setup PIP_INSTALL="pip install --extra-index-url <index of torch's CPU builds>"`.
PIP_INSTALL ?= pip install
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo docs test test-web fuzz faults soak lint format bench audit sbom clean

setup: $(STAMP)

$(STAMP): setup.py pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: constraints.txt needs Python 3.11 or newer; give PYTHON=<a newer python3>")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP_INSTALL) --quiet torch==2.13.0
	$(BIN)/$(PIP_INSTALL) --quiet --editable '.[dev,docs,export,live,provenance,studio,sweeps]' --constraint constraints.txt
	touch $@

demo: setup
	$(BIN)/python infer.py task=demo

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "open build/site/index.html"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_layout.py

test: lint
	$(BIN)/pytest -n 2 --ignore tests/web

test-web: setup
	command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium fonts-dejavu-core; }
	XPRESS_WEB=1 $(BIN)/pytest tests/web

fuzz: setup
	XPRESS_FUZZ=5000 $(BIN)/pytest -n 2 tests/unit/fuzz

faults: setup
	XPRESS_FAULTS=3 $(BIN)/pytest -s tests/integration/test_faults.py

soak: setup
	$(BIN)/python tools/soak.py --minutes 30
	$(BIN)/python tools/studio_soak.py --requests 200

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

audit: setup
	PATH="$(abspath $(BIN)):$$PATH" python tools/audit.py

sbom: setup
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist
	$(BIN)/python tools/sbom.py dist/*.whl dist/xpress.cdx.json

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
