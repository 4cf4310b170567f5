# SPDX-License-Identifier: Apache-2.0
"""What a board file still needs before others can rely on it: the check that a contribution has to pass.

``tinyserve boards --check FILE`` shows it to whoever writes a file; the tests run it over all that come with
the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tinyserve.boards.catalog import all_boards
from tinyserve.boards.types import Board, Sources

SOURCES_NEEDED = 2


def findings(board: Board) -> list[str]:
    """What is missing or doubtful, one sentence each; nothing for a complete file."""
    return [*_unsourced(board), *_routes(board), *_usb(board), *_regions(board), *_names(board)]


def _unsourced(board: Board) -> Iterator[str]:
    """Facts without two documents. A computer has none that matter."""
    if board.core.port == "host":
        return
    if not isinstance(board.sources, Sources):
        yield "sources: a plain list; a table says which document has which fact: flash, ram, clock, usb"
        return
    stated = {
        "flash": board.flash is not None,
        "ram": board.ram is not None,
        "clock": True,
        "usb": bool(board.usb),
    }
    for fact, is_stated in stated.items():
        documents = set(getattr(board.sources, fact))
        if is_stated and len(documents) < SOURCES_NEEDED:
            yield f"sources.{fact}: {len(documents)} of {SOURCES_NEEDED} documents"


def _routes(board: Board) -> Iterator[str]:
    """How firmware gets there."""
    if not board.is_real:
        if not board.emulators:
            yield "emulators: no hardware and no emulator"
    elif not (board.platformio or board.notes):
        yield "notes: PlatformIO does not build for it; say which export does"
    elif not board.platformio and "tinyserve export --as" not in board.notes:
        yield "notes: PlatformIO does not build for it; name the export that does: tinyserve export --as ..."


def _usb(board: Board) -> Iterator[str]:
    """Ids by which no port can be found."""
    roles = {usb.role for usb in board.usb}
    if board.usb and "application" not in roles:
        yield "usb: no id has the role application: no port can be found by it"
    pairs = [(usb.vid, usb.pid) for usb in board.usb]
    for vid, pid in sorted({pair for pair in pairs if pairs.count(pair) > 1}):
        yield f"usb: {vid:04x}:{pid:04x} has two roles"


def _regions(board: Board) -> Iterator[str]:
    """Regions that do not say what they are, and two that overlap."""
    for name, region in (("flash", board.flash), ("ram", board.ram)):
        if region is not None and not region.kind:
            yield f"{name}.kind: say what it is"
    spans = [
        (region.origin, region.origin + region.bytes, name)
        for name, region in (
            ("flash", board.flash), ("ram", board.ram),
            *((f"memory.{region.name}", region) for region in board.memory),
        )
        if region is not None
    ]  # fmt: skip
    spans.sort()
    for (_, end, one), (start, _, other) in pairwise(spans):
        if start < end:
            yield f"{other}: overlaps {one}"


def _names(board: Board) -> Iterator[str]:
    """Aliases that mean another board, or nothing."""
    taken = {name: other.id for other in all_boards() for name in (other.id, *other.aliases)}
    for alias in board.aliases:
        owner = taken.get(alias.lower(), board.id)
        if owner != board.id:
            yield f"aliases: {alias} is a name of {owner}, which comes with the package"
        elif not alias.strip():
            yield "aliases: one is empty"
