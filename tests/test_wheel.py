# SPDX-License-Identifier: Apache-2.0
"""The wheel works outside of the checkout: boards, templates and kernels travel in it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.bench.models import write_classifier

CHECKOUT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_a_bench_runs_from_an_installed_wheel(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist", cwd=CHECKOUT)
    (wheel,) = (tmp_path / "dist").glob("tinyserve-*.whl")
    home = tmp_path / "elsewhere"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    # What tinyserve depends on is taken from here; tinyserve itself is only found in the wheel.
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ("-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    run(sys.executable, *install, cwd=tmp_path)
    found = run(python, "-c", "import tinyserve; print(tinyserve.__file__)", cwd=tmp_path).strip()
    assert Path(found).is_relative_to(home)

    model = write_classifier(tmp_path / "net.tflite")
    bench = ("-m", "tinyserve", "bench", model, "--board", "cortex-m4", "--runs", "1", "--json", "b.json")
    run(python, *bench, cwd=tmp_path)
    assert json.loads((tmp_path / "b.json").read_text())


def test_the_wheel_is_the_same_each_time_and_from_a_source_distribution(tmp_path: Path) -> None:
    def build(where: Path, kind: str, out: str) -> Path:
        run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", tmp_path / out, cwd=where)
        (made,) = (tmp_path / out).iterdir()
        return made

    first, again = build(CHECKOUT, "wheel", "first"), build(CHECKOUT, "wheel", "again")
    assert first.read_bytes() == again.read_bytes()
    with tarfile.open(build(CHECKOUT, "sdist", "sdist")) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    from_source = build(source, "wheel", "from_source")
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(from_source) as other:
        names = one.namelist()
        assert names == other.namelist()
        assert all(one.read(name) == other.read(name) for name in names)
    assert {"tinyserve/_data/boards/nano33.toml", "tinyserve/_data/firmware_templates/common/protocol.c"} <= {
        *names
    }
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "tinyserve/kernels/conv_2d.h" in names


def test_packages_checks_find_nothing(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-d", tmp_path, cwd=CHECKOUT)
    scripts = Path(sys.executable).parent
    if not (scripts / "twine").exists():
        pytest.skip("needs twine and check-wheel-contents")
    run(scripts / "twine", "check", "--strict", *tmp_path.iterdir(), cwd=tmp_path)
    run(scripts / "check-wheel-contents", *tmp_path.glob("*.whl"), cwd=tmp_path)
