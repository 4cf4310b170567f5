"""The wheel works outside of the checkout: boards, templates and kernels travel in it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
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
