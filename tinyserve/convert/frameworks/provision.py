"""Front ends whose dependencies clash with the rest: installed apart, in the user's cache directory.

``tinyserve setup --frontend NAME`` calls ``provision``. An *overlay* is a directory put before the worker's
own packages (no dependencies of its own); an *environment* is a virtual environment with its own
interpreter. Neither touches the environment that tinyserve runs in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from tinyserve.cache import cache_directory
from tinyserve.errors import FileSystemError, ToolError, UsageError
from tinyserve.progress import Progress, silent

INSTALL_TIMEOUT_S = 1800
_ENVIRONMENT = "TINYSERVE_FRONTENDS"
_READY = ".tinyserve-ready"


@dataclass(frozen=True)
class Frontend:
    """``requirements`` as pip takes them; ``imports`` is what proves that they work together."""

    name: str
    about: str
    kind: Literal["overlay", "environment"]
    requirements: tuple[str, ...]
    imports: tuple[str, ...]


FRONTENDS: Mapping[str, Frontend] = MappingProxyType(
    {
        frontend.name: frontend
        for frontend in (
            Frontend("keras2", ".h5 files of Keras 2", "overlay", ("tf-keras>=2.21,<2.22",), ()),
            # Exact: with other versions pip resolves to sets that do not import.
            Frontend(
                "pytorch",
                "PyTorch exported programs",
                "environment",
                ("torch==2.13.0", "onnxscript==0.7.2", "onnx>=1.20,<2", "numpy>=1.26", "msgspec>=0.18"),
                ("torch", "onnxscript", "msgspec"),
            ),
        )
    }
)


def directory(frontend: Frontend) -> Path:
    """Where the front end is or would be. Another version of Python or of a requirement is another place."""
    base = Path(os.environ.get(_ENVIRONMENT) or cache_directory() / "frontends")
    text = "\n".join((*frontend.requirements, f"{sys.version_info[:2]}", frontend.kind))
    return base / f"{frontend.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def find(name: str) -> Path | None:
    """The directory of a front end that is installed."""
    place = directory(FRONTENDS[name])
    return place if (place / _READY).exists() else None


def require(name: str) -> Path:
    """The directory of a front end. Raises ToolError with the command that installs it."""
    place = find(name)
    if place is None:
        raise ToolError(
            f"the front end '{name}' ({FRONTENDS[name].about}) is not installed",
            f"tinyserve setup --frontend {name}",
        )
    return place


def python(place: Path) -> Path:
    """The interpreter of an environment."""
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def provision(name: str, progress: Progress = silent) -> Path:
    """Installs a front end where it is not yet, and returns its directory.

    Needs pip and a package index. Raises UsageError for an unknown name, ToolError where pip fails; then
    nothing is left behind.
    """
    if name not in FRONTENDS:
        raise UsageError(f"--frontend {name}: not known", f"use one of: {', '.join(FRONTENDS)}")
    frontend = FRONTENDS[name]
    place = directory(frontend)
    if (place / _READY).exists():
        return place
    progress(f"install {name}")
    with _making(place):
        if frontend.kind == "overlay":
            _pip(Path(sys.executable), ["--no-deps", "--target", str(place), *frontend.requirements])
        else:
            _run([sys.executable, "-m", "venv", str(place)])
            _pip(python(place), list(frontend.requirements))
            _check(frontend, place)
    return place


@contextlib.contextmanager
def _making(place: Path) -> Iterator[None]:
    """Makes ``place`` and marks it ready at the end; removes it where that fails. One process at a time."""
    lock = place.with_name(f"{place.name}.lock")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.touch(exist_ok=False)
    except FileExistsError:
        if not place.parent.is_dir():
            raise FileSystemError(f"{place.parent} is a file", f"set {_ENVIRONMENT} to a directory") from None
        raise ToolError(
            f"another process is installing {place.name}",
            f"wait for it, or remove {lock} where there is none",
        ) from None
    except OSError as error:
        raise FileSystemError(
            f"{place}: {error.strerror}", f"set {_ENVIRONMENT} to a writable place"
        ) from error
    try:
        shutil.rmtree(place, ignore_errors=True)
        yield
        (place / _READY).touch()
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        lock.unlink(missing_ok=True)


def _pip(interpreter: Path, arguments: list[str]) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    _run([str(interpreter), "-m", "pip", "install", *quiet, *arguments])


def _check(frontend: Frontend, place: Path) -> None:
    """Imports what the front end is made of: resolvers have been known to pick what does not work."""
    if frontend.imports:
        _run([str(python(place)), "-c", "import " + ", ".join(frontend.imports)])


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{' '.join(command[1:4])}: no end within {INSTALL_TIMEOUT_S} s", "try again"
        ) from error
    except OSError as error:
        raise ToolError(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise ToolError(
            f"{' '.join(command[1:4])} failed:\n{tail}",
            "is a package index reachable? (pip's own settings apply)",
        )
