# Two commands: `make demo` runs the main job, `make test` runs every check. Both need Python >= 3.11 and a package index.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
# TORCH_INDEX may name another index for the one step that installs torch (for example one with CPU or ROCm builds).
TORCH_INDEX ?=
TORCH_FLAGS = $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),)
DATA := $(abspath ../shared/data)
export NETSMITH_DATA ?= $(if $(wildcard $(DATA)),$(DATA),)

.PHONY: demo test lint clean

demo: $(VENV)/.demo
	$(VENV)/bin/netsmith demo

test: $(VENV)/.test lint
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses auto --dist loadfile

lint: $(VENV)/.test
	$(VENV)/bin/ruff check src tests benchmarks
	$(VENV)/bin/ruff format --check src tests benchmarks
	$(VENV)/bin/pyright

# torch comes first and pinned, so that no other package drags in another build of it.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'netsmith needs Python >= 3.11, this is ' + sys.version.split()[0]"
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(TORCH_FLAGS) --requirement constraints.txt
	touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $@

$(VENV)/.test: $(VENV)/.torch pyproject.toml
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
