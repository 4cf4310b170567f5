# SPDX-License-Identifier: Apache-2.0
"""What a directory of TensorFlow Lite Micro is: a generated tree, Arduino's layout, or a checkout; its
headers, and those of its sources that belong together.

Kernels have the same names in ``kernels/`` and in ``kernels/<vendor>/``. A generated tree has one of each; a
checkout has all, of which CMSIS-NN's are taken where its sources are there, else the reference kernels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyserve.boards.types import Core
from tinyserve.errors import UsageError

HINT = "--tflm DIR names the sources of TensorFlow Lite Micro, or the directory with its built library"
LIBRARY = "libtensorflow-microlite.a"
MARK = Path("tensorflow/lite/micro/micro_interpreter.h")
_MAKEFILE = Path("tensorflow/lite/micro/tools/make/Makefile")
_DOWNLOADS = Path("tensorflow/lite/micro/tools/make/downloads")
_KERNELS = "tensorflow/lite/micro/kernels/"
_CMSIS_NN = "cmsis_nn"
_PARTS = ("tensorflow", "signal", "third_party")
_HEADERS = (
    ".", "include", "Include", "CMSIS/Core/Include", "CMSIS/NN", "CMSIS/NN/Include", "CMSIS/DSP/Include",
    "Core/Include",
)  # fmt: skip
_NO_SOURCE = re.compile(
    r"(^|[/_])(tests?|testdata|testing|examples|benchmarks|tools|python|integration_tests|docs)([/_.]|$)",
    re.IGNORECASE,
)
_PLATFORM = ("debug_log", "micro_time", "system_setup")
_MOST_SOURCE_BYTES = 16 << 20
_FOREIGN_HEADER = re.compile(rb'#\s*include\s*[<"](?:Arduino\.h|peripherals/)')
_DEVICES = {"cortex-m0plus": "ARMCM0plus", "cortex-m7-sp": "ARMCM7", "cortex-m33-an505": "ARMCM33"}


@dataclass(frozen=True)
class Tree:
    """``root`` is where ``tensorflow/`` lies. ``include`` are its header directories for a core; ``sources``
    what is compiled; ``has_cmsis_nn`` whether CMSIS-NN's kernels are among them; ``needs_platform`` whether
    those files are left out that only Arduino's core can compile."""

    root: Path
    include: tuple[Path, ...]
    sources: tuple[Path, ...]
    has_cmsis_nn: bool
    needs_platform: bool


def root_of(named: str) -> Path:
    """Where the tree begins. Raises UsageError that names what is there instead."""
    directory = _resolved(named)
    if directory.is_file():
        raise UsageError(f"{named}: is a file, not a directory", f"unpack it where it is an archive; {HINT}")
    for root in (directory, directory / "src"):  # the latter is Arduino's layout
        if (root / MARK).is_file():
            return root
    inside = sorted(directory.glob(f"*/{MARK}")) if directory.is_dir() else []
    if inside:
        below = inside[0].parents[len(MARK.parts) - 1]
        raise UsageError(f"{named}: the tree is in {below.name}/", f"--tflm {below}")
    raise UsageError(f"{named}: there is no {MARK}", HINT)


def _resolved(named: str) -> Path:
    try:
        return Path(named).resolve()
    except (OSError, RuntimeError) as error:  # Python before 3.13: RuntimeError for links in a circle
        raise UsageError(f"{named}: symbolic links in a circle", HINT) from error


def read_tree(root: Path, core: Core, *, is_built: bool) -> Tree:
    """The tree at ``root`` for a core. ``is_built``: a library is there, so that its sources do not matter.

    Raises UsageError for a checkout without what its Makefile downloads.
    """
    include = tuple(_include(root, core))
    if not any((path / "flatbuffers" / "flatbuffers.h").is_file() for path in include):
        _refuse_bare_checkout(root)
    if is_built:
        return Tree(root, include, (), False, False)
    found = list(_candidates(root))
    named = [path for path in found if not _is_platform_of_arduino(path)]
    with_platform = len(named) < len(found)
    sources, cmsis_nn = _one_kernel_of_each(root, named)
    return Tree(root, include, tuple(sources), cmsis_nn, with_platform)


def _refuse_bare_checkout(root: Path) -> None:
    if (root / _MAKEFILE).is_file():
        raise UsageError(
            f"{root}: a checkout of TFLM without its downloads: flatbuffers and others are missing",
            f"make -C {root} -f {_MAKEFILE} third_party_downloads; or write a tree:"
            f" python3 {root}/tensorflow/lite/micro/tools/project_generation/create_tflm_tree.py DIR",
        )


def _include(root: Path, core: Core) -> Iterator[Path]:
    """The root, and each third party's own header directories."""
    yield root
    device = _DEVICES.get(core.name, f"ARMCM{core.name.removeprefix('cortex-m')}")
    for parent in (root / "third_party", root / _DOWNLOADS):
        for party in sorted(parent.iterdir()) if parent.is_dir() else ():
            if party.is_dir():
                yield from (party / name for name in _HEADERS if (party / name).is_dir())
                yield from sorted(party.glob(f"**/Device/**/{device}/Include"))


def _candidates(root: Path) -> Iterator[Path]:
    for part in _PARTS:
        for path in sorted((root / part).rglob("*")):
            place = path.relative_to(root).as_posix()
            in_downloads = place.startswith(f"{_DOWNLOADS}/{_CMSIS_NN}/Source/")
            is_source = path.suffix in (".c", ".cc", ".cpp") and not path.is_dir()
            if is_source and (in_downloads or not _NO_SOURCE.search(place)):
                _check_source(path)
                yield path


def _check_source(path: Path) -> None:
    """A compiler would wait at a pipe, and read a device for ever. Raises UsageError."""
    if not path.is_file():
        raise UsageError(f"{path}: is no file, or a link to none", "copy the tree anew, with its links")
    size = path.stat().st_size
    if size > _MOST_SOURCE_BYTES:
        raise UsageError(f"{path}: {size:,} bytes are no source of TFLM's", "remove it from the tree")


def _is_platform_of_arduino(path: Path) -> bool:
    return path.stem in _PLATFORM and bool(_FOREIGN_HEADER.search(path.read_bytes()))


def _one_kernel_of_each(root: Path, paths: list[Path]) -> tuple[list[Path], bool]:
    """The sources without the kernels that others stand for, and whether CMSIS-NN's are among them."""
    places = {path.relative_to(root).as_posix(): path for path in paths}
    has_library = any(f"/{_CMSIS_NN}/Source/" in place for place in places)
    wanted = _CMSIS_NN if has_library else ""
    is_checkout = any(_vendor(place) and _KERNELS + Path(place).name in places for place in places)
    chosen, used = [], False
    for place, path in places.items():
        vendor = _vendor(place)
        replaced = not vendor and f"{_KERNELS}{wanted}/{Path(place).name}" in places
        if is_checkout and (vendor not in ("", wanted) or (replaced and place.startswith(_KERNELS))):
            continue
        used = used or vendor == _CMSIS_NN
        chosen.append(path)
    return chosen, used and has_library


def _vendor(place: str) -> str:
    """The vendor's directory that a kernel lies in, "" for a reference kernel and for anything else."""
    if not place.startswith(_KERNELS):
        return ""
    vendor, slash, _ = place.removeprefix(_KERNELS).partition("/")
    return vendor if slash else ""
