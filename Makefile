# SPDX-License-Identifier: Apache-2.0
# Everything from a fresh machine: `make demo`, `make test`. All Python packages live in .venv.
# The default Python where it fits, else another that does (.ci/choose-python); make PYTHON=... names one.
PYTHON ?= $(shell .ci/choose-python)
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
.PHONY: help install demo demo-serve demo-update test test-fast slow-tests lint format fuzz soak soak-hostile package audit test-warnings test-pytorch snapshots bench-kernels bench-layers bench-memory bench-batch bench-serve bench-drift clean

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.demo: pyproject.toml
	@test -x $(BIN)/python && exit; python="$(PYTHON)"; test -n "$$python" || exit 2; \
	  echo "making $(VENV) with $$($$python -V) ($$python)"; $$python -m venv $(VENV) || \
	  { echo "python3-venv is missing: apt-get install python3-venv"; exit 6; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off -e '.[embedded,convert,report,examples,updates]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off -e '.[test]'
	@touch $@

install: $(VENV)/.demo ## install tinyserve with all it needs in .venv

demo: $(VENV)/.demo ## train, convert, build and bench the digits example on an emulated nano33
	$(BIN)/python examples/digits/train.py --out build/digits
	$(BIN)/tinyserve bench build/digits/digits.keras --representative build/digits/calib.npz \
	  --board nano33 --emulate --dataset build/digits/test.npz --json build/digits/bench.json --html build/digits/bench.html

$(VENV)/.demo-serve: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off -e '.[serve,data]' 'tritonclient[http,grpc]>=2.41'
	@touch $@

demo-serve: $(VENV)/.demo-serve ## four Cortex-M0 twins behind an inference API: Triton's client, overload, a member killed, batches
	test -f build/digits/digits.keras || $(BIN)/python examples/digits/train.py --out build/digits
	$(BIN)/python examples/fleet/demo.py build/digits/digits.keras --representative build/digits/calib.npz --data build/digits/test.npz

demo-update: $(VENV)/.demo ## update an emulated nano33 by signed models: power cut, refusals, drift
	$(BIN)/python examples/update/demo.py --out build/update

test: $(VENV)/.test lint ## lint, types and the whole test suite
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

test-fast: $(VENV)/.test ## the tests that take under a second each, and under five minutes together
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m 'not slow'

slow-tests: $(VENV)/.test ## measure the CPU time of all tests, and write tests/slow_tests.txt, which test-fast leaves out
	rm -f build/cpu-times.txt; mkdir -p build
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -p tests.support.cpu_times --cpu-times $(CURDIR)/build/cpu-times.txt
	$(BIN)/python -m tests.slow_tests build/cpu-times.txt

lint: $(VENV)/.test ## ruff, mypy, the oldest Python that the code runs on, and clang-format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin -t=3.10- --no-tips --violations --eval-annotations --quiet tinyserve
	@if [ -n "$(CLANG_FORMAT)" ]; then $(C_FILES) | xargs $(CLANG_FORMAT) --dry-run -Werror; \
	  else echo "clang-format is missing (apt-get install clang-format): C files are not checked" >&2; fi

format: $(VENV)/.test ## format Python and C files
	$(BIN)/ruff format .
	$(C_FILES) | xargs $(CLANG_FORMAT) -i

snapshots: $(VENV)/.test ## take what is printed now as what is expected; read `git diff` before you commit it
	$(BIN)/python -m tests.snapshots

fuzz: $(VENV)/.test ## differential and mutation fuzzing for FUZZ_HOURS (default 1)
	$(BIN)/python -m tests.fuzz --hours $${FUZZ_HOURS:-1}

soak: $(VENV)/.test ## long runs: random networks (MODELS, default 500) through the front ends; thirty models as new users bring them; the emitted C of every kind of layer under all compilers, levels and cores (SWEEP=cover, the default: an hour; whole: a night)
	$(BIN)/python -m tests.convert.frameworks.networks.soak --models $${MODELS:-500}
	$(BIN)/python -m tests.convert.soak --seconds $${KERAS_SECONDS:-3600}
	$(BIN)/python -m tests.convert.frameworks.networks.soak --models $${MODELS:-500} --framework pytorch
	$(BIN)/python -m tests.convert.frameworks.networks.architectures_soak
	$(BIN)/python -m tests.convert.first_models
	$(BIN)/python -m tests.compiler.graph.soak --models $${DAMAGED:-50000}
	$(BIN)/python -m tests.sweep --models $${SWEEP:-cover}
	$(BIN)/python -m tests.cliffs
	$(BIN)/python -m tests.slots.power_cuts
	$(BIN)/python -m tests.features.soak --windows $${WINDOWS:-1000000}
	$(BIN)/python -m tests.features.soak --random $${PIPELINES:-30} --windows 1000 --emulated 50
	$(BIN)/python -m tests.serve.soak --seconds $${SERVE_SECONDS:-3600}
	$(MAKE) soak-hostile

soak-hostile: $(VENV)/.test ## hostile names, files, devices and streams, ROUNDS times (default 50) with other examples
	for seed in $$(seq $${ROUNDS:-50}); do $(BIN)/python -m pytest -q -n $(JOBS) --hypothesis-seed=$$seed \
	  tests/test_escapes.py tests/test_templates.py tests/firmware/test_hostile_names.py tests/report/test_hostile_names.py \
	  tests/devices/client/test_hostile_device.py tests/bench/energy/test_ppk2_stream.py || exit 1; done

package: $(VENV)/.test ## wheel and source distribution in dist/, checked
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

audit: $(VENV)/.test ## known vulnerabilities of what is installed (asks the package index)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off pip-audit
	$(BIN)/python .ci/audit $(BIN)/pip-audit

test-warnings: $(VENV)/.test ## tests that need no front end, with every warning an error
	$(BIN)/python -W error -m pytest -q -n $(JOBS) -W error -m 'not slow' tests/boards tests/report tests/platforms \
	  tests/compiler/graph tests/compiler/plan tests/devices/client

test-pytorch: $(VENV)/.test ## tests of PyTorch's front end, which it installs first (about 1 GB)
	$(BIN)/tinyserve --plain setup --frontend pytorch
	$(BIN)/python -m pytest -q -n $(JOBS) tests/convert/frameworks/test_pytorch.py

bench-kernels: $(VENV)/.test ## instructions per inference of the MLPerf Tiny models beside the peers'
	$(BIN)/python benchmarks/kernels.py

bench-layers: $(VENV)/.test ## instructions of single layers on each core and compiler; TINYSERVE_SWEEP=directory of models
	$(BIN)/python benchmarks/layers.py

bench-memory: $(VENV)/.test ## bytes of arena of image models with and without layers by rows; CORE=cortex-m0 for another core
	$(BIN)/python benchmarks/memory.py --core $(or $(CORE),cortex-m4)

bench-batch: $(VENV)/.test ## microseconds per sample of runs over data sets, beside TFLM's interpreter
	$(BIN)/python benchmarks/batch_speed.py

bench-serve: $(VENV)/.test ## requests per second and overhead of the gateway; MODEL=file: 16 twins at four times what they can do
	$(BIN)/python benchmarks/serving.py --json benchmarks/serving.json
	test -z "$(MODEL)" || $(BIN)/python benchmarks/overload.py $(MODEL)

bench-drift: $(VENV)/.test ## false alarms and detection of the verdict on a device's health, simulated (ten minutes)
	$(BIN)/python benchmarks/drift.py --json benchmarks/drift.json

clean: ## remove what builds leave (not .venv)
	rm -rf build out dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
