# SPDX-License-Identifier: Apache-2.0
"""A plain `pip install tinyserve`: each command works, or names the extra that it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.bench.models import write_classifier, write_dataset
from tests.support.places import CHECKOUT
from tinyserve.cli.main import SECTIONS
from tinyserve.convert.frameworks.provision import FRONTENDS
from tinyserve.extras import PACKAGES, missing_package
from tinyserve.platforms.base import Platform

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PLAIN = f"""
import sys

OPTIONAL = {sorted(package.module for package in PACKAGES)}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in OPTIONAL:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from tinyserve.cli.main import main
sys.exit(main())
"""


def plain(arguments: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """A command in an installation without extras."""
    command = [sys.executable, "-c", _PLAIN, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_classifier(tmp_path / "m.tflite")
    write_dataset(tmp_path / "d.npz")
    fleet = '[models.m]\nsource = "m.tflite"\n[members.here]\nlink = "host"\n'
    (tmp_path / "fleet.toml").write_text(fleet)
    features = '[input]\nshape = [3]\n[[steps]]\nkind = "difference"\n'
    (tmp_path / "features.toml").write_text(features)
    return tmp_path


NEED_NOTHING = {
    "boards": [],
    "doctor": [],
    "inspect": ["m.tflite"],
    "compile": ["m.tflite", "-o", "c"],
    "export": ["m.tflite", "--kind", "cmake", "-o", "e"],
}
NEED_EXTRAS = {
    "convert": (["m.tflite", "-o", "b"], "convert"),
    "features": (["show", "features.toml"], "convert"),
    "predict": (["m.tflite", "d.npz", "--out", "p.sqlite"], "convert"),
    "accuracy": (["m.tflite", "--dataset", "d.npz"], "convert"),
    "debug": (["m.tflite"], "convert"),
    "build": (["m.tflite", "--board", "cortex-m4"], "convert"),
    "bench": (["m.tflite", "--board", "nano33", "--emulate"], "convert"),
    "profile": (["m.tflite", "--board", "nano33"], "convert"),
    "tune": (["m.tflite", "--board", "nano33"], "convert"),
    "flash": (["m.tflite", "--board", "nano33"], "embedded"),
    "monitor": (["--port", "/dev/ttyACM0"], "embedded"),
    "serve": (["fleet.toml"], "serve"),
    "device": (["m.tflite", "--board", "nano33", "--pty"], "convert"),
    "keys": (["new", "key.pem"], "updates"),
    "sign": (["m.tflite", "--board", "nano33", "--key", "key.pem"], "updates"),
    "update": (["slot0.img", "--emulate", "nano33-slots"], "updates"),
    "slots": (["--emulate", "nano33-slots"], "updates"),
}
NEED_OTHER_FILES = {
    "health",
    "fleet",
    "setup",
    "compare",
    "energy",
    "mlperf-runner",
}  # other tests of theirs hold their arguments


def test_every_command_is_tried_here() -> None:
    commands = {name for section in SECTIONS.values() for name in section}
    assert commands == NEED_NOTHING.keys() | NEED_EXTRAS.keys() | NEED_OTHER_FILES


@pytest.mark.parametrize("name", sorted(NEED_NOTHING))
def test_a_command_that_needs_no_extra_works_without(name: str, directory: Path) -> None:
    done = plain([name, *NEED_NOTHING[name]], directory)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(NEED_EXTRAS))
def test_a_command_says_which_extra_it_needs(name: str, directory: Path) -> None:
    arguments, extra = NEED_EXTRAS[name]
    done = plain([name, *arguments], directory)
    assert done.returncode == 6, done.stderr
    hints = {package.install for package in PACKAGES if package.extra == extra}
    assert any(hint in done.stderr for hint in hints)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", sorted(NEED_OTHER_FILES))
def test_the_help_of_a_command_needs_no_extra(name: str, directory: Path) -> None:
    assert plain([name, "--help"], directory).returncode == 0


def test_the_doctor_knows_the_packages_of_every_extra() -> None:
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    known = {package.name for package in PACKAGES} | {
        "setuptools",  # emlearn's, on later Pythons
        "tensorflow",  # for processors that tensorflow-cpu has no wheels for
    }
    lines = [line for extra, lines in extras.items() if extra != "test" for line in lines]
    wanted = {re.split(r"[<>=;~ []", line)[0] for line in lines}
    assert wanted - known == set()
    assert all(any(line.startswith(p.name) for line in extras[p.extra]) for p in PACKAGES)


def test_a_module_of_nobodys_is_a_bug_and_no_missing_extra() -> None:
    assert missing_package(ModuleNotFoundError("no", name="tinyserve.nowhere")) is None


@pytest.mark.parametrize(
    ("system", "machine", "tensorflow", "has_tflm"),
    [
        ("linux", "x86_64", "tensorflow-cpu", True),
        ("linux", "aarch64", "tensorflow", False),
        ("darwin", "arm64", "tensorflow", False),
        ("win32", "AMD64", "tensorflow-cpu", False),
    ],
)
def test_each_system_gets_the_packages_that_have_wheels_for_it(
    system: str, machine: str, tensorflow: str, has_tflm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyPI had them in November 2026: pip refuses the whole extra where one has none."""
    here = {"sys_platform": system, "platform_machine": machine, "python_version": "3.13"}

    def names(lines: Iterable[str]) -> set[str]:
        found = map(Requirement, lines)
        return {one.name for one in found if one.marker is None or one.marker.evaluate(here)}

    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    both = {"tensorflow-cpu", "tensorflow"}
    for extra in ("convert", "test"):
        assert ("tflite-micro" in names(extras[extra])) == has_tflm
    assert names(extras["convert"]) & both == {tensorflow}
    assert names(FRONTENDS["tensorflow"].requirements) & both == {tensorflow}
    monkeypatch.setattr(Platform, "kind", lambda self: f"{system} {machine}")
    (tflm,) = (package for package in PACKAGES if package.name == "tflite-micro")
    assert tflm.install.startswith("pip install" if has_tflm else "no wheels for this system")


def test_a_package_without_wheels_for_this_python_comes_with_what_to_do_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hints = {}
    for version in ((3, 13), (3, 14)):
        monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
        hints[version] = {package.name: package.install for package in PACKAGES}
    assert hints[3, 13]["tensorflow-cpu"] == "pip install 'tinyserve[convert]'"
    assert hints[3, 14]["tensorflow-cpu"] == "tinyserve setup --frontend tensorflow"
    assert "python3.13" in hints[3, 14]["mlcommons-loadgen"]
    assert hints[3, 14]["onnx"] == hints[3, 13]["onnx"]
