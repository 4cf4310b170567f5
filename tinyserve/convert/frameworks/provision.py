# SPDX-License-Identifier: Apache-2.0
"""Front ends whose dependencies clash with the rest: installed apart, in the user's cache directory.

``tinyserve setup --frontend NAME`` calls ``provision``. An *overlay* is a directory put before the worker's
own packages (no dependencies of its own); an *environment* is a virtual environment with its own
interpreter, and of another Python where this one is too new for its packages. Neither touches the environment
that tinyserve runs in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from tinyserve import locks, platforms, programs
from tinyserve.cache import cache_directory
from tinyserve.convert.frameworks import interpreters
from tinyserve.errors import FileSystemError, ToolError, UsageError
from tinyserve.progress import Progress, silent

INSTALL_TIMEOUT_S = 1800
_SAY_S = 2.0
_CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
_ENVIRONMENT = "TINYSERVE_FRONTENDS"
_READY = ".tinyserve-ready"


@dataclass(frozen=True)
class Frontend:
    """``requirements`` as pip takes them; ``imports`` is what proves that they work together; ``megabytes``
    is about what it takes on disk; ``newest`` is the last Python that an environment's packages have wheels
    for, None where they have them for all."""

    name: str
    about: str
    kind: Literal["overlay", "environment"]
    requirements: tuple[str, ...]
    imports: tuple[str, ...]
    megabytes: int = 1
    newest: tuple[int, int] | None = None

    @property
    def suits_this_python(self) -> bool:
        """Whether the packages can be had for the Python that runs this."""
        return self.newest is None or sys.version_info[:2] <= self.newest


FRONTENDS: Mapping[str, Frontend] = MappingProxyType(
    {
        frontend.name: frontend
        for frontend in (
            Frontend("keras2", ".h5 files of Keras 2", "overlay", ("tf-keras>=2.21,<2.22",), (), 10),
            Frontend(
                "tensorflow",
                "TensorFlow for Python 3.14 on, 2 GB",
                "environment",
                (
                    "tensorflow-cpu>=2.21,<2.22; platform_machine == 'x86_64' or platform_machine == 'AMD64'",
                    "tensorflow>=2.21,<2.22; platform_machine != 'x86_64' and platform_machine != 'AMD64'",
                    "ai-edge-litert>=2.1",
                    "ai-edge-quantizer>=0.10,<0.11",
                    "numpy>=1.26",
                    "msgspec>=0.18",
                ),
                ("tensorflow",),
                2000,
                newest=(3, 13),
            ),
            # Exact: with other versions pip resolves to sets that do not import.
            Frontend(
                "pytorch",
                "PyTorch exported programs, about 1 GB",
                "environment",
                ("torch==2.13.0", "onnxscript==0.7.2", "onnx>=1.20,<2", "numpy>=1.26", "msgspec>=0.18"),
                ("torch", "onnxscript", "msgspec"),
                1000,
            ),
        )
    }
)


def directory(frontend: Frontend) -> Path:
    """Where the front end is or would be. Another version of Python or of a requirement is another place."""
    base = Path(os.environ.get(_ENVIRONMENT) or cache_directory() / "frontends")
    made_by = frontend.newest or sys.version_info[:2]
    text = "\n".join((*frontend.requirements, f"{made_by}", frontend.kind))
    return base / f"{frontend.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def find(name: str) -> Path | None:
    """The directory of a front end that is installed."""
    frontend = FRONTENDS[name]
    place = directory(frontend)
    return place if _is_ready(frontend, place) else None


def _is_ready(frontend: Frontend, place: Path) -> bool:
    """Whole, and its interpreter still there: an environment ends with the Python that made it."""
    return (place / _READY).exists() and (frontend.kind == "overlay" or python(place).exists())


def require(name: str) -> Path:
    """The directory of a front end. Raises ToolError with the command that installs it."""
    place = find(name)
    if place is None:
        raise ToolError(
            f"the front end '{name}' ({FRONTENDS[name].about}) is not installed", install_command(name)
        )
    return place


def install_command(name: str) -> str:
    """What brings a front end, in words for a hint."""
    command = f"tinyserve setup --frontend {name}"
    in_place = name == "tensorflow" and FRONTENDS[name].suits_this_python
    return f"pip install 'tinyserve[convert]', or: {command}" if in_place else command


def python(place: Path) -> Path:
    """The interpreter of an environment."""
    return platforms.here().environment_python(place)


def provision(name: str, progress: Progress = silent) -> Path:
    """Installs a front end where it is not yet, and returns its directory.

    Needs pip and a package index. Raises UsageError for an unknown name, ToolError where pip fails; then
    nothing is left behind.
    """
    if name not in FRONTENDS:
        raise UsageError(f"--frontend {name}: not known", f"use one of: {', '.join(FRONTENDS)}")
    frontend = FRONTENDS[name]
    place = directory(frontend)
    if _is_ready(frontend, place):
        return place
    with locks.alone(place, progress), _making(place):
        if _is_ready(frontend, place):
            return place  # another process has installed it in the meantime
        growing = _growth(frontend, place, progress)
        if frontend.kind == "overlay":
            arguments = ["--no-deps", "--target", str(place), "--upgrade", *frontend.requirements]
            _pip(Path(sys.executable), arguments, growing)
        else:
            interpreter = interpreters.find(frontend.name, frontend.newest)
            _make_environment(interpreter, place, growing)
            _pip(python(place), [*_cpu_index(frontend), *frontend.requirements], growing)
            _check(frontend, place)
    return place


@contextlib.contextmanager
def _making(place: Path) -> Iterator[None]:
    """Marks ``place`` ready at the end; removes it where something fails. What a killed process has left is
    gone on with: pip takes what is there."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise FileSystemError(f"{place.parent} is a file", f"set {_ENVIRONMENT} to a directory") from None
    except OSError as error:
        raise FileSystemError(
            f"{place}: {error.strerror}", f"set {_ENVIRONMENT} to a writable place"
        ) from error
    try:
        yield
        (place / _READY).touch()
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _growth(frontend: Frontend, place: Path, progress: Progress) -> Callable[[], None]:
    """Says how much of a front end is there, in MB of about what it takes."""
    stage = f"install {frontend.name} (about {frontend.megabytes} MB)"

    def say() -> None:
        sizes = (os.lstat(Path(at) / name).st_size for at, _, names in os.walk(place) for name in names)
        with contextlib.suppress(OSError):  # pip moves files about
            progress(stage, min(sum(sizes) >> 20, frontend.megabytes), frontend.megabytes)

    return say


def _cpu_index(frontend: Frontend) -> list[str]:
    """On Linux PyPI's PyTorch comes with gigabytes for graphics cards; PyTorch's own index has it for CPUs.
    Left out where pip is configured with an index of the user's own."""
    if frontend.name != "pytorch" or not platforms.here().accelerator_wheels:
        return []
    configured = programs.ask([sys.executable, "-m", "pip", "config", "list"], 60).stdout
    if any(word in configured for word in ("index", "find-links")):
        return []
    return ["--extra-index-url", _CPU_WHEELS]


def _pip(interpreter: Path, arguments: list[str], growing: Callable[[], None] = lambda: None) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    _run([str(interpreter), "-m", "pip", "install", *quiet, *arguments], growing)


def _make_environment(interpreter: str, place: Path, growing: Callable[[], None]) -> None:
    """Raises ToolError that names the interpreter: parts of it may be missing, as Debian packages them."""
    try:
        _run([interpreter, "-m", "venv", "--clear", str(place)], growing)
    except ToolError as error:
        raise ToolError(
            f"{interpreter} cannot make an environment: {error.message}",
            "install what it lacks (python3-venv of its version), or take it off the PATH: others are tried",
        ) from error


def _check(frontend: Frontend, place: Path) -> None:
    """Imports what the front end is made of: resolvers have been known to pick what does not work."""
    if frontend.imports:
        _run([str(python(place)), "-c", "import " + ", ".join(frontend.imports)])


def _run(command: list[str], growing: Callable[[], None] = lambda: None) -> None:
    """Raises ToolError where the command fails or takes too long. ``growing`` is called every two seconds."""
    what = " ".join(command[1:4])
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        except OSError as error:
            raise ToolError(f"cannot run {command[0]}: {error.strerror}") from error
        try:
            status = _waited(process, growing)
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{what}: no end within {INSTALL_TIMEOUT_S} s", "try again") from error
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        tail = "\n".join(output.read().strip().splitlines()[-8:])
    if status:
        raise ToolError(f"{what} failed:\n{tail}", "is a package index reachable? (pip's own settings apply)")


def _waited(process: subprocess.Popen[bytes], growing: Callable[[], None]) -> int:
    deadline = time.monotonic() + INSTALL_TIMEOUT_S
    while True:
        growing()
        try:
            return process.wait(min(_SAY_S, max(0.0, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= deadline:
                raise
