# Everything from a fresh machine: `make demo`, `make test`. All Python packages live in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= auto
# The MLPerf Tiny models are not part of the project; tests that use them skip without this directory.
TINYSERVE_MODELS ?=
export TINYSERVE_MODELS

# Version 14 is what Debian 12 and .ci/run install; others break some lines differently.
CLANG_FORMAT ?= $(shell command -v clang-format-14 || command -v clang-format)
C_FILES := git ls-files '*.c' '*.h' '*.cpp'

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-all lint format fuzz soak bench-kernels bench-layers bench-batch docs clean

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.demo: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3,10) <= sys.version_info[:2] < (3,13))' || \
	  { echo "tinyserve needs Python 3.10, 3.11 or 3.12: make PYTHON=python3.11 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "python3-venv is missing: apt-get install python3-venv"; exit 6; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off -e '.[embedded,convert,report,examples]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off -e '.[test]'
	@touch $@

install: $(VENV)/.demo ## install tinyserve with all it needs in .venv

demo: $(VENV)/.demo ## train, convert, build and bench the digits example on an emulated nano33
	$(BIN)/python examples/digits/train.py --out build/digits
	$(BIN)/tinyserve bench build/digits/digits.keras --representative build/digits/calib.npz \
	  --board nano33 --emulate --dataset build/digits/test.npz --json build/digits/bench.json --html build/digits/bench.html

test: $(VENV)/.test lint ## lint, types and the whole test suite
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

test-fast: $(VENV)/.test ## the tests that take under five minutes together
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m 'not slow'

lint: $(VENV)/.test ## ruff, mypy and clang-format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if [ -n "$(CLANG_FORMAT)" ]; then $(C_FILES) | xargs $(CLANG_FORMAT) --dry-run -Werror; \
	  else echo "clang-format is missing (apt-get install clang-format): C files are not checked" >&2; fi

format: $(VENV)/.test ## format Python and C files
	$(BIN)/ruff format .
	$(C_FILES) | xargs $(CLANG_FORMAT) -i

fuzz: $(VENV)/.test ## differential and mutation fuzzing for FUZZ_HOURS (default 1)
	$(BIN)/python -m tests.fuzz --hours $${FUZZ_HOURS:-1}

soak: $(VENV)/.test ## long runs: random networks (MODELS, default 500) through the front ends; the emitted C of every kind of layer under all compilers, levels and cores (hours)
	$(BIN)/python -m tests.convert.frameworks.networks.soak --models $${MODELS:-500}
	$(BIN)/python -m tests.sweep

bench-kernels: $(VENV)/.test ## instructions per inference of the MLPerf Tiny models beside the peers'
	$(BIN)/python benchmarks/kernels.py

bench-layers: $(VENV)/.test ## instructions of single layers on each core and compiler; TINYSERVE_SWEEP=directory of models
	$(BIN)/python benchmarks/layers.py

bench-batch: $(VENV)/.test ## microseconds per sample of runs over data sets, beside TFLM's interpreter
	$(BIN)/python benchmarks/batch_speed.py

clean: ## remove what builds leave (not .venv)
	rm -rf build out dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
