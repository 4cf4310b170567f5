# SPDX-License-Identifier: Apache-2.0
"""What would make a firmware fit its board. Options are tried before they are named; what can't be tried
without data or training is computed, and named only where the figure says that it would be enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tinyserve.boards import all_boards
from tinyserve.boards.fit import Demand, estimate, fit, ram_on
from tinyserve.boards.memories import memories_of
from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.names import short_name
from tinyserve.compiler.plan.memories import place
from tinyserve.compiler.program import ONE_MEMORY, Buffer, Optimize
from tinyserve.errors import TinyserveError
from tinyserve.firmware.footprint.peak import live, peak_call

NAMED_BOARDS = 4
_TRIED: tuple[Optimize, ...] = ("size", "ram")
_MARGIN_BYTES = 64
"""A firmware's name, and what else two builds of one model may differ in."""
_LEAST_SHRINK = 0.1
"""A model with less than this part of its input, or of its weights, is another model."""

Measure = Callable[[Compiled], Demand]
"""What the firmware of a compiled model takes of the board in question."""


@dataclass(frozen=True)
class Excess:
    """Bytes of flash and RAM that are missing; less than 0 where some are left."""

    flash: int
    ram: int

    @property
    def is_none(self) -> bool:
        return max(self.flash, self.ram) <= -_MARGIN_BYTES

    def less(self, saved: Excess) -> Excess:
        return Excess(self.flash - saved.flash, self.ram - saved.ram)


def remedies(compiled: Compiled, board: Board, excess: Excess, measure: Measure | None) -> str:
    """What to do about a firmware that does not fit, as the hint of an error. ``measure`` None: nothing of
    the kind can be built here (an interpreter, a slot), so that options are not tried."""
    found, in_vain, around = list[str](), "", Excess(0, 0)
    if measure is not None:
        base = measure(compiled)
        found, in_vain = _options(compiled, base, board, excess, measure)
        around = _around(base, board, excess)
    computed = (f(compiled, excess) for f in (_quantized, _smaller_input, _fewer_weights))
    found += [one for one in computed if one]
    boards = _boards_that_fit(compiled, board, around)
    fitting = f"a board that it fits: {', '.join(boards)}" if boards else "no known board would fit it"
    return "; or ".join([*found, fitting]) + (f" ({in_vain})" if in_vain else "")


def _around(base: Demand, board: Board, excess: Excess) -> Excess:
    """What the firmware takes beyond what was measured of its twin: an Arduino core."""
    taken = ((board.flash, excess.flash, base.flash_bytes), (board.ram, excess.ram, ram_on(base, board)))
    flash, ram = (
        max(0, region.bytes + over - measured) if region is not None and over > 0 else 0
        for region, over, measured in taken
    )
    return Excess(flash, ram)


def _options(
    compiled: Compiled, base: Demand, board: Board, excess: Excess, measure: Measure
) -> tuple[list[str], str]:
    """The options with which it fits, and what is to be said of those with which it does not."""
    left: dict[Optimize, Excess] = {}
    now = compiled.program.target
    chosen = () if now.optimize == "ram" else now.choices  # "ram" chooses itself
    for optimize in _TRIED:
        if optimize != now.optimize:
            target = replace(now, optimize=optimize, choices=chosen)
            try:
                other = measure(compile_model(compiled.data, target, compiled.name))
            except TinyserveError:
                continue
            left[optimize] = excess.less(_saved(base, other, board))
    fitting = [
        f"--optimize {option}, with which it fits (tried)" for option, one in left.items() if one.is_none
    ]
    if fitting or not left:
        return fitting, ""
    names = " and ".join(f"--optimize {option}" for option in left)
    return [], f"{names} would not do: {_least(left.values())} over at best"


def _least(left: Iterable[Excess]) -> str:
    """The smallest excess in words."""
    best = min(left, key=lambda one: max(one.flash, 0) + max(one.ram, 0))
    found = [("flash", best.flash), ("RAM", best.ram)]
    return " and ".join(f"{over:,} bytes of {what}" for what, over in found if over > 0) or "a few bytes"


def _saved(base: Demand, other: Demand, board: Board) -> Excess:
    return Excess(base.flash_bytes - other.flash_bytes, ram_on(base, board) - ram_on(other, board))


def _quantized(compiled: Compiled, excess: Excess) -> str:
    """int8 instead of floats (weights and activations a quarter), or instead of int16 activations (half)."""
    program, arena = compiled.program, compiled.plan.arena_bytes
    floats = sum(one.nbytes for one in program.constants if str(one.values.dtype) == "float32")
    kind = {tensor.dtype.value for buffer in program.buffers if (tensor := buffer.tensor) is not None}
    if "float32" in kind and floats:
        saved = Excess(3 * floats // 4, 3 * arena // 4)
    elif "int16" in kind:
        saved = Excess(0, arena // 2)
    else:
        return ""
    if not excess.less(saved).is_none:
        return ""
    what = [f"{saved.flash:,} bytes of flash"] * (saved.flash > 0) + [f"{saved.ram:,} bytes of RAM"]
    return f"--quantize int8, which saves about {' and '.join(what)} (computed)"


def _smaller_input(compiled: Compiled, excess: Excess) -> str:
    """Images whose layers at the peak shrink with the image."""
    shapes = [tensor.shape for tensor in compiled.program.input_tensors]
    if excess.ram <= 0 or excess.flash > 0 or len(shapes) != 1 or len(shapes[0]) != 4:
        return ""
    _, height, width, _ = shapes[0]
    spatial, others = _live_at_peak(compiled)
    spatial += sum(buffer.nbytes for buffer in compiled.program.inputs)  # the protocol's copy
    left = spatial - excess.ram - _MARGIN_BYTES
    if min(height, width) < 8 or left <= _LEAST_SHRINK * spatial or spatial < others:
        return ""
    factor = math.sqrt(left / spatial)
    smaller = f"{int(height * factor)}×{int(width * factor)}"
    return (
        f"a model trained on inputs of {smaller} instead of {height}×{width}"
        " (computed from the layers at the arena's peak)"
    )


def _live_at_peak(compiled: Compiled) -> tuple[int, int]:
    """Bytes of images, and of all else, where the most of the arena is in use."""
    plan, peak = compiled.plan, peak_call(compiled.program, compiled.plan)
    alive = live(plan, peak[0]) if peak is not None else []
    others = sum(one.nbytes for one in alive if not _is_image(one))
    return plan.arena_bytes - others, others  # images may share bytes


def _is_image(buffer: Buffer) -> bool:
    shape = buffer.tensor.shape if buffer.tensor is not None else ()
    return len(shape) == 4 and shape[1] * shape[2] > 1


def _fewer_weights(compiled: Compiled, excess: Excess) -> str:
    """Where nothing but weights can be in the way of flash."""
    constants = compiled.program.constants
    weights, over = sum(one.nbytes for one in constants), excess.flash + _MARGIN_BYTES
    if excess.flash <= 0 or excess.ram > 0 or over > (1 - _LEAST_SHRINK) * weights:
        return ""
    largest = max(constants, key=lambda one: one.nbytes)
    share = math.ceil(100 * over / weights)
    return (
        f"a model with weights {share} % smaller, by fewer channels or layers "
        f'(the largest are "{short_name(largest.name)}", {largest.nbytes:,} of {weights:,} bytes)'
    )


def _boards_that_fit(compiled: Compiled, board: Board, around: Excess) -> list[str]:
    """The smallest real boards first, each with its own kernels; those that are certain to fit it, and
    ``around`` it the same as on ``board``."""
    candidates = [one for one in all_boards() if one.platformio and one.flash and one.id != board.id]
    candidates.sort(key=lambda one: (one.ram.bytes if one.ram else 0, one.id))
    known: dict[frozenset[str], Compiled] = {}
    found: list[str] = []
    for one in candidates:
        features = frozenset(one.core.features)
        if features not in known:
            known[features] = _compiled_with(features, compiled)
        if fit(_more(_demand(known[features], one), around), one) == "fits":
            found.append(one.id)
            if len(found) == NAMED_BOARDS:
                break
    return found


def _demand(compiled: Compiled, board: Board) -> Demand:
    """Estimated, in the memories of a board."""
    plan = place(compiled.program, compiled.plan, memories_of(board))
    return estimate(replace(compiled, plan=plan))


def _compiled_with(features: frozenset[str], compiled: Compiled) -> Compiled:
    """For kernels of another core, in one memory; as it is compiled where it can't be compiled again."""
    target = replace(compiled.program.target, features=features, memories=ONE_MEMORY)
    try:
        return compile_model(compiled.data, target, compiled.name)
    except TinyserveError:
        return compiled


def _more(needs: Demand, around: Excess) -> Demand:
    return replace(
        needs,
        flash_bytes=needs.flash_bytes + around.flash,
        least_flash_bytes=needs.least_flash_bytes + around.flash,
        most_flash_bytes=needs.most_flash_bytes + around.flash,
        ram_bytes=needs.ram_bytes + around.ram,
    )
