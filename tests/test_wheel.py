# SPDX-License-Identifier: Apache-2.0
"""The wheel works outside of the checkout: boards, templates and kernels travel in it."""

from __future__ import annotations

import json
import shlex
import shutil
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


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, as pipx and uv make them, in a path with spaces."""
    place = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place / "dist", cwd=CHECKOUT)
    (wheel,) = (place / "dist").glob("tinyserve-*.whl")
    home = place / "Application Support" / "tinyserve's"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    # What tinyserve depends on is taken from here; tinyserve itself is only found in the wheel.
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    install = ("-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    run(sys.executable, *install, cwd=place)
    found = run(python, "-c", "import tinyserve; print(tinyserve.__file__)", cwd=place).strip()
    assert Path(found).is_relative_to(home)
    return python


def sealed(directory: Path) -> list[str]:
    """A command's beginning that lets it write nothing in ``directory`` and reach no network; [] where this
    user may not do that."""
    place = shlex.quote(str(directory))
    inside = f'mount --bind {place} {place} && mount -o remount,ro,bind {place} && exec "$@"'
    prefix = ["unshare", "--map-root-user", "--mount", "--net", "sh", "-c", inside, "sh"]
    try:
        probe = subprocess.run(
            [*prefix, "touch", str(directory / "x")], capture_output=True, timeout=60, check=False
        )
    except OSError:
        return []
    return prefix if b"Read-only file system" in probe.stderr else []


def contents(directory: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(directory)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_an_installation_works_read_only_and_offline_and_writes_nothing_to_itself(
    installed: Path, tmp_path: Path
) -> None:
    home = installed.parents[1]
    prefix = sealed(home)
    before = contents(home)
    model = write_classifier(tmp_path / "a net.tflite")
    bench = ("-m", "tinyserve", "bench", model, "--board", "cortex-m4", "--runs", "1", "--json", "b.json")
    run("env", f"TINYSERVE_CACHE={tmp_path}/cache", *prefix, installed, "-B", *bench, cwd=tmp_path)
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    command = home / "bin" / "tinyserve"
    compile = (command, "compile", model, "-o", tmp_path / "c")
    run("env", "PYTHONDONTWRITEBYTECODE=1", *prefix, *compile, cwd=tmp_path)
    assert list((tmp_path / "c").glob("*.c"))
    assert contents(home) == before


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_installed_command_completes_itself(installed: Path, shell: str, tmp_path: Path) -> None:
    command = installed.with_name("tinyserve")
    script = run("env", f"_TINYSERVE_COMPLETE={shell}_source", command, cwd=tmp_path)
    assert f"_TINYSERVE_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        (tmp_path / "completion").write_text(script, encoding="utf-8")
        run(shell, "-n", tmp_path / "completion", cwd=tmp_path)


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
    run(
        scripts / "check-wheel-contents",
        "--config",
        CHECKOUT / "pyproject.toml",
        *tmp_path.glob("*.whl"),
        cwd=tmp_path,
    )
