# SPDX-License-Identifier: Apache-2.0
"""The emitted C, unsanitized, under the compilers and levels that people use: TFLM's bytes, on every core.

A part of what `make soak` goes through: for each build those layers that bring about another way of sharing
memory.
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.sweep import cases
from tests.sweep.builds import Build, all_builds
from tests.sweep.compare import differences, with_expected
from tests.sweep.cover import cover
from tests.sweep.overlaps import Sharing, permitted, realized
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.program import PORTABLE, Target

SEEDS = 2
# How many parts the cases are cut into, of which a build runs one.
PARTS = {
    "host gcc -O1": 1,
    "host gcc -O2": 1,
    "host gcc -O3": 1,
    "host gcc -Os": 2,
    "host gcc -O2 ram": 2,
    "host gcc -O3 fast": 2,
    "host clang -O2": 2,
    "host clang -O3": 4,
    "host zig -O2": 4,
    "cortex-m0 zig -O2": 3,
    "cortex-m0 gcc -O2 stranger": 4,
    "cortex-m4 zig -O2": 3,
    "cortex-m4 gcc -O2 stranger": 3,
    "cortex-m4 gcc -O3 product": 4,
    "cortex-m55 zig -O2": 3,
    "cortex-m55 gcc -O2 stranger": 3,
    "cortex-m55 gcc -O3 product": 4,
    "rv32imc zig -O2": 4,
}
BUILDS = [build for build in all_builds() if build.name in PARTS]


@cache
def _expected(target: Target) -> list[cases.Expected]:
    models = [cases.made(kind, seed) for seed in range(SEEDS) for kind in cases.FAMILIES]
    compiled = [compile_model(case.model, target, "m") for case in models]
    return with_expected([models[index] for index in cover(compiled, realized)])


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_outputs_are_tflm_s(build: Build) -> None:
    if build.missing:
        pytest.skip(f"needs {build.missing}")
    parts = PARTS[build.name]
    part = _expected(build.target)[list(PARTS).index(build.name) % parts :: parts]
    part += with_expected([cases.made(kind, 1) for kind in cases.FOUND])
    assert len(part) >= 20
    found = list(differences(part, build, images=60))
    assert not found, "\n".join(found[:10])


def test_whatever_may_share_memory_does() -> None:
    """Each kernel that permits its output to lie over an input is run like that."""
    allowed, done = set(), set()
    for case, _ in _expected(PORTABLE):
        compiled = compile_model(case.model, PORTABLE, "m")
        allowed |= permitted(compiled)
        done |= {one.function for one in realized(compiled) if isinstance(one, Sharing)}
    assert len(done) > 80
    assert len(allowed - done) <= 3, f"never over an input: {sorted(allowed - done)}"


@pytest.mark.parametrize("name", ["host gcc -O2", "cortex-m4 zig -O2", "cortex-m55 zig -O2"])
def test_outputs_of_the_models_at_hand_are_tflm_s(name: str) -> None:
    """Every seventh model of the directories that are named."""
    found = [path for directory in cases.directories() for path in sorted(directory.glob("*.tflite"))]
    if not found:
        pytest.skip(f"{' and '.join(cases.VARIABLES)} are not set")
    (build,) = (build for build in all_builds() if build.name == name)
    if build.missing:
        pytest.skip(f"needs {build.missing}")
    part = found[sum(map(ord, name)) % 7 :: 7]
    wrong = list(differences(with_expected([cases.of_file(path) for path in part]), build))
    assert not wrong, "\n".join(wrong[:10])
