# SPDX-License-Identifier: Apache-2.0
"""A core directory of our own for PlatformIO, made without a network; the user's is left alone.

PlatformIO starts SCons from a "tool package" of an exact version, and asks its registry for it when it is not
there. What it finds here starts the SCons that pip installed. Each version and each checkout has a directory
of its own: PlatformIO rewrites links in place, so that two sharing one break each other's builds.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import msgspec

from tinyserve import __version__, boards
from tinyserve.cache import cache_directory
from tinyserve.documents import from_json
from tinyserve.errors import ToolError
from tinyserve.files import write
from tinyserve.firmware.platformio import platform

CORE_VARIABLE = "PLATFORMIO_CORE_DIR"
INSTALL_HINT = "pip install 'tinyserve[embedded]'"
_SCONS = "tool-scons"
_START_SCONS = b"""import SCons.Script

SCons.Script.Main.main()
"""


class _Spec(msgspec.Struct):
    owner: str | None
    id: int | None
    name: str
    requirements: str | None
    uri: str | None


class _Installed(msgspec.Struct):
    """``.piopm``: marks a package as installed, and names its owner."""

    type: str
    name: str
    version: str
    spec: _Spec


class _ToolManifest(msgspec.Struct):
    name: str
    version: str
    description: str
    system: str = "*"


class _Link(msgspec.Struct):
    """``.pio-link``: a package that lies elsewhere."""

    cwd: str
    spec: _Spec


class _LastCheck(msgspec.Struct):
    platformio_upgrade: int
    prune_system: int


class _Version(msgspec.Struct):
    """What is read of ``appstate.json``, to which PlatformIO adds as it goes."""

    last_version: str


class _State(msgspec.Struct):
    """``appstate.json``. Of another version it would start an update over the network."""

    last_version: str
    settings: dict[str, bool]
    last_check: _LastCheck


def private_core() -> Path:
    """Where our core directory is or would be. Raises ToolError where PlatformIO is not installed."""
    text = f"{platformio_version()} {__version__} {sys.prefix} {Path(__file__).parent}"
    name = f"{platformio_version()}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return cache_directory().resolve() / "platformio" / name


def core_for(emulated: bool) -> Path:
    """The core directory to use. For real boards PLATFORMIO_CORE_DIR overrules ours, where it is set."""
    override = os.environ.get(CORE_VARIABLE)
    return Path(override) if override and not emulated else private_core()


def platform_directory(core: Path) -> Path:
    """Where ``provision`` puts the development platform."""
    return core / "tinyserve-platform"


def platformio_version() -> str:
    """Raises ToolError where PlatformIO is not installed."""
    try:
        from platformio import __version__ as version
    except ImportError as error:
        raise ToolError("PlatformIO is not installed", INSTALL_HINT) from error
    return str(version)


def provision(core: Path) -> None:
    """Makes the core directory: SCons, the development platform and its link. No network, milliseconds.

    What is there already is not touched. Raises ToolError and FileSystemError.
    """
    version = platformio_version()
    state = _State(version, {"enable_telemetry": False}, _LastCheck(_now(), _now()))
    if _version_of_state(core / "appstate.json") != version:
        write(core / "appstate.json", msgspec.json.encode(state))
    _provision_scons(core / "packages" / _SCONS)
    directory = platform_directory(core)
    platform.write_platform(directory, boards.all_boards())
    link = _Link("/", _Spec(None, None, platform.NAME, None, f"symlink://{directory}"))
    _write_once(core / "platforms" / f"{platform.NAME}.pio-link", msgspec.json.encode(link))


def scons_is_installed() -> bool:
    """Whether pip has installed the SCons that the builds start."""
    import importlib.util

    return importlib.util.find_spec("SCons") is not None


def _provision_scons(package: Path) -> None:
    if not scons_is_installed():
        raise ToolError("SCons, which PlatformIO builds with, is not installed", INSTALL_HINT)
    from platformio.dependencies import get_core_dependencies

    wanted = str(get_core_dependencies()[_SCONS]).lstrip("~^=")
    installed = _Installed("tool", _SCONS, wanted, _Spec("platformio", None, _SCONS, None, None))
    manifest = _ToolManifest(_SCONS, wanted, "Starts the SCons that pip installed")
    _write_once(package / "scons.py", _START_SCONS)
    _write_once(package / "package.json", msgspec.json.encode(manifest))
    _write_once(package / ".piopm", msgspec.json.encode(installed))


def _write_once(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        write(path, content)


def _version_of_state(path: Path) -> str:
    try:
        return from_json(path.read_bytes(), _Version).last_version
    except (OSError, msgspec.MsgspecError):
        return ""


def _now() -> int:
    return int(time.time())
