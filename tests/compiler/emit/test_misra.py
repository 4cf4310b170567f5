# SPDX-License-Identifier: Apache-2.0
"""The record of deviations from MISRA C:2012 is that of cppcheck's addon, over all portable kernels and the
generated C."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compiler.emit.test_interface import counting_model
from tests.support.places import CHECKOUT, KERNELS
from tinyserve.compiler.compile import compile_model, write
from tinyserve.compiler.program import Instance, Interface

RECORD = CHECKOUT / "docs/misra.md"
OF_THE_RECORD = "Cppcheck 2.10"
_REQUIRED = "1.4 9.3 10.1 10.3 10.4 10.6 10.7 10.8 11.6 11.9 12.2 14.1 14.4 15.7 20.7"
REQUIRED = frozenset(_REQUIRED.split())


def recorded() -> dict[str, tuple[str, str]]:
    """Category and reason of each rule in the record."""
    rows = re.findall(r"^\| (\d+\.\d+) \| (\w+) \| (.+) \|$", RECORD.read_text(), re.MULTILINE)
    return {rule: (category, reason) for rule, category, reason in rows}


def violated(directory: Path, *sources: str) -> dict[str, str]:
    """The rules that the addon finds violated, each with a place."""
    if shutil.which("cppcheck") is None:
        pytest.skip("cppcheck is not installed")
    done = subprocess.run(
        ["cppcheck", "--std=c11", "--addon=misra", "--quiet", "--max-configs=1", "--platform=unix32",
         "--template={id} {file}:{line}", "-DTS_ANY", *sources],
        cwd=directory, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    if "misra" not in done.stderr:
        pytest.skip(f"cppcheck has no addon for MISRA: {done.stdout[-200:]}")
    return dict(re.findall(r"^misra-c2012-(\S+) (\S+)$", done.stderr, re.MULTILINE))


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    directory = tmp_path_factory.mktemp("kernels")
    for place in ("common", "by_dots"):
        shutil.copytree(KERNELS / place, directory / place)
    headers = sorted(path.name for path in KERNELS.glob("*.h"))
    for name in headers:
        shutil.copy(KERNELS / name, directory)
    (directory / "all.c").write_text("".join(f'#include "{name}"\n' for name in headers))
    return violated(directory, "all.c")


@pytest.fixture(scope="module", params=["static", "caller"])
def generated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    instance: Instance = request.param
    directory = tmp_path_factory.mktemp(instance)
    write(compile_model(counting_model(), interface=Interface(instance)), directory)
    found = violated(directory, "model.c", "weights.c")
    return {rule: place for rule, place in found.items() if not place.startswith("kernels/")}


@pytest.mark.slow
def test_portable_kernels_deviate_from_no_rule_but_those_in_the_record(kernels: dict[str, str]) -> None:
    assert kernels
    unrecorded = {rule: place for rule, place in kernels.items() if rule not in recorded()}
    assert not unrecorded


def test_generated_c_deviates_from_no_rule_but_those_in_the_record(generated: dict[str, str]) -> None:
    unrecorded = {rule: place for rule, place in generated.items() if rule not in recorded()}
    assert not unrecorded


def test_required_rules_are_named_as_such_and_every_deviation_has_a_reason() -> None:
    record = recorded()
    assert len(record) > 20
    for rule, (category, reason) in record.items():
        assert category == ("required" if rule in REQUIRED else "advisory"), rule
        assert len(reason) > 20
