# SPDX-License-Identifier: Apache-2.0
"""Random specifications and pipelines: all that is accepted compiles, and has the same bytes everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.features import generated as specs
from tests.features.soak import Bench, Subject
from tests.pipeline import generated as pipelines
from tests.support.traces import FEATURES
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import FAST
from tinyserve.compiler.program import PORTABLE, Target
from tinyserve.pipeline.compose import compose

INFERENCES = 30
PLACES = {
    "this processor": (FAST, lambda bench: bench.on_host(INFERENCES, True)),
    "wasm": (Target(frozenset({"wasm"})), lambda bench: bench.in_wasm(INFERENCES)),
    "cortex-m55": (Target(FEATURES["cortex-m55"]), lambda bench: bench.in_qemu(INFERENCES)),
} | {
    cpu: (Target(FEATURES[cpu]), lambda bench, cpu=cpu: bench.in_unicorn(cpu, INFERENCES))
    for cpu in ("cortex-m0", "cortex-m4", "rv32imc")
}
"""Where a random one runs in the suite, one of each kind; `tests.features.soak --random` has all of many."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    pipelines.write_models(made)
    return made


def subjects(seed: int, models: Path) -> Iterator[Subject]:
    yield Subject("spec", specs.model_of(specs.generated(seed)), 1, hostile=True)
    yield Subject("pipe", compose(pipelines.generated(seed, models), models).data, 1, hostile=True)


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_what_a_specification_may_say_compiles(first: int) -> None:
    for seed in range(first, first + 20):
        assert compile_model(specs.model_of(specs.generated(seed))).program.calls


@pytest.mark.parametrize("first", range(0, 20, 5))
def test_what_a_pipeline_may_say_compiles(first: int, models: Path) -> None:
    for seed in range(first, first + 5):
        pipeline = pipelines.generated(seed, models)
        assert compile_model(compose(pipeline, models).data).program.calls


@pytest.mark.parametrize("place", PLACES)
def test_random_ones_have_the_same_bytes(place: str, models: Path, tmp_path: Path) -> None:
    if place == "cortex-m55" and shutil.which("qemu-system-arm") is None:
        pytest.skip("needs qemu-system-arm")
    target, run = PLACES[place]
    for subject in subjects(100 + sorted(PLACES).index(place), models):
        wanted = Bench(subject, PORTABLE, tmp_path / f"{subject.name}-portable").on_host(INFERENCES, False)
        assert run(Bench(subject, target, tmp_path / subject.name)) == wanted != 0
