# SPDX-License-Identifier: Apache-2.0
"""Front ends installed apart: whole or not at all, and out of the way of everything else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tinyserve.convert import sources
from tinyserve.convert.frameworks import front_ends, provision
from tinyserve.convert.frameworks.provision import Frontend
from tinyserve.errors import FileSystemError, ToolError, UsageError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYSERVE_FRONTENDS", str(tmp_path / "frontends"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # these tests need no network and must not wait for one
    return tmp_path / "frontends"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package of one module, ``greeting``."""
    path = tmp_path / "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("greeting.py", "WORD = 'hello'\n")
        info = "greeting-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def install(monkeypatch: pytest.MonkeyPatch, kind: str, requirement: str, imports: str = "greeting") -> Path:
    frontend = Frontend("test", "tests", kind, (requirement,), (imports,))  # type: ignore[arg-type]
    monkeypatch.setattr(provision, "FRONTENDS", {"test": frontend})
    return provision.provision("test")


def test_an_overlay_holds_the_package_and_is_not_made_twice(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = install(monkeypatch, "overlay", str(wheel))
    assert (place / "greeting.py").is_file()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("installed again"))
    assert provision.provision("test") == place
    assert provision.find("test") == place


@pytest.mark.slow
def test_an_environment_has_an_interpreter_of_its_own(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = install(monkeypatch, "environment", str(wheel))
    command = [str(provision.python(place)), "-c", "import greeting; print(greeting.WORD)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "hello"


@pytest.mark.slow
def test_what_does_not_import_is_not_kept(wheel: Path, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    with pytest.raises(ToolError, match="no_such_module"):
        install(monkeypatch, "environment", str(wheel), "no_such_module")
    assert provision.find("test") is None
    assert list(place.iterdir()) == []


def test_what_pip_refuses_leaves_nothing_and_shows_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    with pytest.raises(ToolError, match="failed"):
        install(monkeypatch, "overlay", "no-such-package-anywhere==1.2.3")
    assert list(place.iterdir()) == []


def test_a_half_made_one_is_made_again(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = install(monkeypatch, "overlay", str(wheel))
    (place / provision._READY).unlink()
    (place / "greeting.py").unlink()
    assert provision.find("test") is None
    provision.provision("test")
    assert (place / "greeting.py").is_file()


def test_two_at_once_wait_for_each_other_and_the_dead_hold_nothing(
    wheel: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = install(monkeypatch, "overlay", str(wheel))
    (place / provision._READY).unlink()
    program = (
        "import sys, time; from pathlib import Path; from tinyserve import locks\n"
        "with locks.alone(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(place)], stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline()
    said: list[str] = []

    def report(stage: str, done: int = 0, total: int = 0) -> None:
        said.append(stage)
        other.kill()

    assert provision.provision("test", report) == place
    other.wait(10)
    other.stdout.close()
    assert said[0].startswith("waiting for another tinyserve")
    assert any(stage.startswith("install test (about") for stage in said)


def test_another_requirement_is_another_place() -> None:
    places = {
        provision.directory(Frontend("a", "", "overlay", (requirement,), ()))
        for requirement in ("x==1", "x==2")
    }
    assert len(places) == 2


def test_unknown_names_and_places_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="keras2"):
        provision.provision("cobol")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYSERVE_FRONTENDS", str(tmp_path / "file"))
    with pytest.raises(FileSystemError):
        provision.provision("keras2")


def test_a_missing_front_end_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as archive:
        archive.writestr("m/models/model.json", "{}")
    with pytest.raises(ToolError, match="'pytorch'") as caught:
        front_ends.isolated(sources.identify(tmp_path / "m.pt2"))
    assert caught.value.hint == "tinyserve setup --frontend pytorch"


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_a_python_that_cannot_make_environments_is_named(tmp_path: Path) -> None:
    """As one without its wheels of pip fails, which has nothing to do with an index."""
    broken = tmp_path / "python3.13"
    broken.write_text("#!/bin/sh\necho 'ensurepip returned non-zero exit status 1'\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(ToolError, match=r"(?s)python3\.13 cannot make an environment: .*ensurepip") as caught:
        provision._make_environment(str(broken), tmp_path / "e", lambda: None)
    assert "python3-venv" in caught.value.hint
