# SPDX-License-Identifier: Apache-2.0
"""Which kernel variant each layer gets beyond the estimated cheapest: the user's word, what RAM is worth."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tinyserve.compiler import ops, passes
from tinyserve.compiler.bands.feed import fed_input, no_band
from tinyserve.compiler.bands.schedule import ImpossibleError
from tinyserve.compiler.bands.search import Rates, Search, Selection
from tinyserve.compiler.bands.stages import Band, refusal
from tinyserve.compiler.graph.types import Model
from tinyserve.compiler.lower import kernels_of, lower
from tinyserve.compiler.names import short_name
from tinyserve.compiler.plan.histories import with_histories
from tinyserve.compiler.plan.moves import relocate
from tinyserve.compiler.plan.order import in_order
from tinyserve.compiler.plan.packing import EFFORT
from tinyserve.compiler.plan.planner import plan
from tinyserve.compiler.plan.views import with_views
from tinyserve.compiler.program import Choice, ControlCall, KernelCall, MemoryPlan, Program, RowsNote, Target
from tinyserve.errors import UsageError

_WORTH = 0.01  # of the arena: what another kernel must save at least
_SLOWER_VARIANT = 0.05  # how much a variant loses, where the portable kernel loses 1
_LEAST_BYTES = {"balanced": 16 * 1024, "ram": 1024}
"""An arena that bands are not looked for in. Rows of small images take few instructions beside what each step
costs, which estimates hit badly there: blocks of 3 KB were counted to take up to half as many again."""
_BAND_BUDGETS = {"balanced": (0.03, 3), "ram": (2.0, 10)}
"""What bands may add of the instructions, and how many selections are lowered and planned."""
_RATES = {"mve": Rates(380.0, 0.3, 35.0)}
"""Of cores whose vectors copy rows. Those of others were counted on Cortex-M4 and fit M0 and RV32, too."""
_COUNTED = {"mve": 1.1, "thumb1": 2.5, "dsp": 1.25}
"""Instructions that bands were counted to add, over the estimates, at most; 1 where it is not said."""
_LEAST_SAVED = {"balanced": 0.05}  # of the arena
_LARGE, _PATIENCE = 96 * 1024, 25
"""Arenas with bands whose last percents are worth some seconds of searching where RAM comes first."""
_MOST_WINDOWS = 16
"""Of bands, that are tried as those whose rows are moved early."""
_MOST_TRIALS = 60  # lowerings; each takes up to a quarter of a second


def program_for(model: Model, target: Target, name: str, by_rows: bool = True) -> tuple[Program, MemoryPlan]:
    """The program and its plan, with the target's choices. Without ``by_rows`` each layer's output is whole.

    With ``--optimize ram``, runs of layers are computed by rows where that makes the arena smaller, and
    layers at the arena's peak get a variant that needs less, unless the user chose. Raises UsageError for
    choices of layers or variants that the model does not have.
    """
    program, memory = _planned(model, target, name)
    _check(target, program)
    bands: tuple[Band, ...] = ()
    whole_bytes = memory.arena_bytes
    if target.feed == "rows":
        bands, program, memory = _fed(model, target, name, program)
    elif by_rows:
        bands, program, memory = _banded(model, target, name, program, memory)
    if target.optimize == "ram":
        program, memory = _smallest(model, target, program, memory, bands)
        if bands and memory.arena_bytes >= _LARGE:
            memory = min(memory, plan(program, _PATIENCE * EFFORT), key=lambda one: one.arena_bytes)
    note = RowsNote(whole_bytes, _reasons(model, target, bands, by_rows))
    return replace(program, rows=note), memory


def _reasons(model: Model, target: Target, bands: Sequence[Band], by_rows: bool) -> dict[str, str]:
    """Of each layer that is in no band why it is not."""
    registry = ops.registry(target.operators)
    inside = {index for band in bands for index in range(band.first, band.end)}
    otherwise = "saves too little of the arena, or adds too many instructions"
    if not by_rows or target.optimize not in _BAND_BUDGETS:
        otherwise = f"--optimize {target.optimize} keeps tensors whole" if by_rows else "tensors are kept"
    return {
        short_name(node.outputs[0].name): refusal(node, registry[node.name], target) or otherwise
        for index, node in enumerate(model.main.nodes)
        if index not in inside and node.outputs
    }


def offers(data: bytes, target: Target) -> dict[str, tuple[str, ...]]:
    """The kernel variants that layers of a .tflite file can have on the target, estimated cheapest first."""
    model = passes.load(data, target.operators)
    passes.optimize(model)
    return lower(model, target, "model").offers


def _banded(
    model: Model, target: Target, name: str, program: Program, memory: MemoryPlan
) -> tuple[tuple[Band, ...], Program, MemoryPlan]:
    """The bands with which the arena is smallest, and the program with them; none where none helps."""
    has_control = any(isinstance(call, ControlCall) for call in program.calls)
    if memory.arena_bytes < _LEAST_BYTES.get(target.optimize, 0) or has_control:
        return (), program, memory
    search = _search(model, target, program)
    share, trials = _BAND_BUDGETS.get(target.optimize, (0.0, 0))
    found = search.selections(_budget(search, target, share)) if trials else []
    planned = []
    for selection in [one for one in found[::-1] if one.nbytes < memory.arena_bytes][:trials]:
        with contextlib.suppress(ImpossibleError):  # a kind of steps at an edge has no kernel
            planned.append(
                _Banded(selection, selection.bands, *_planned(model, target, name, selection.bands))
            )
    best = _smallest_banded(model, search, planned)
    least = max(1, _LEAST_SAVED.get(target.optimize, 0.0) * memory.arena_bytes)
    if best is None or memory.arena_bytes - best.memory.arena_bytes < least:
        return (), program, memory
    return best.bands, best.program, best.memory


@dataclass(frozen=True)
class _Banded:
    """The program with bands of a selection; ``bands`` says, too, which of their rows are moved early."""

    selection: Selection
    bands: tuple[Band, ...]
    program: Program
    memory: MemoryPlan


def _smallest_banded(model: Model, search: Search, planned: Sequence[_Banded]) -> _Banded | None:
    """The one of the smallest arena, with rows moved early where that makes it smaller."""
    best = min(planned, key=_arena, default=None)
    for one in planned:
        if best is not None and one.selection.nbytes < _arena(best):
            moved = [search.moved_windows(band) for band in one.bands]
            alternate = [[numbers[start::2] for numbers in moved] for start in (0, 1) if any(moved)]
            best = min([best, *(_with_early_moves(model, one, early) for early in alternate)], key=_arena)
    return None if best is None else _with_others_early(model, search, best)


def _arena(banded: _Banded) -> int:
    return banded.memory.arena_bytes


def _with_others_early(model: Model, search: Search, best: _Banded) -> _Banded:
    """What is free of a window lies before its rows, or behind them where these are moved early: two windows
    of different kinds may lie over each other there. The largest are tried as the other kind."""
    moved = [
        (number, window) for number, band in enumerate(best.bands) for window in search.moved_windows(band)
    ]
    for number, window in moved[:_MOST_WINDOWS]:
        if _arena(best) <= (1 + _WORTH) * best.selection.nbytes:
            break
        early = [{*band.early} for band in best.bands]
        early[number] ^= {window}
        best = min(best, _with_early_moves(model, best, early), key=_arena)
    return best


def _with_early_moves(model: Model, banded: _Banded, early: Sequence[Collection[int]]) -> _Banded:
    """``early``: of each band, the windows whose rows are moved as soon as they have been read."""
    bands = tuple(
        replace(band, early=tuple(sorted(numbers))) for band, numbers in zip(banded.bands, early, strict=True)
    )
    program, memory = _planned(model, banded.program.target, banded.program.name, bands)
    return replace(banded, bands=bands, program=program, memory=memory)


def _fed(
    model: Model, target: Target, name: str, program: Program
) -> tuple[tuple[Band, ...], Program, MemoryPlan]:
    """As ``_banded``, where the input is fed by rows. What bands may add counts from the cheapest of these
    on. Raises UnsupportedError where the input can't be fed so."""
    search = _search(model, target, program)
    search.fed = fed_input(model.main, search.registry, target)
    share, trials = _BAND_BUDGETS.get(target.optimize, (0.0, 1))
    found = search.selections()
    most = min((one.extra for one in found), default=0.0) + _budget(search, target, share)
    planned: list[_Banded] = []
    for selection in [one for one in reversed(found) if one.extra <= most]:
        bands = selection.bands
        try:
            planned.append(_Banded(selection, bands, *_planned(model, target, name, bands)))
        except ImpossibleError as error:  # a kind of steps at an edge has no kernel
            search.refusal = str(error)
        if len(planned) == trials:
            break
    best = _smallest_banded(model, search, planned)
    if best is None:
        raise no_band(model.main.nodes[search.fed.first], search.refusal)
    return best.bands, best.program, best.memory


def _search(model: Model, target: Target, program: Program) -> Search:
    registry = ops.registry(target.operators)
    rates = next((_RATES[feature] for feature in sorted(target.features) if feature in _RATES), Rates())
    return Search(model.main, program, lambda node: registry[node.name], kernels_of(model, target), rates)


def _budget(search: Search, target: Target, share: float) -> float:
    """Instructions that bands may add, as they are estimated: so many of the model's."""
    counted = max([1.0, *(_COUNTED.get(feature, 1.0) for feature in target.features)])
    return share * search.instructions() / counted


def _planned(
    model: Model, target: Target, name: str, bands: Sequence[Band] = ()
) -> tuple[Program, MemoryPlan]:
    program = lower(model, target, name, bands)
    calls = [replace(call, reason=call.reason or _why_portable(call, program)) for call in program.calls]
    program = replace(program, calls=calls)
    return with_histories(*with_views(*relocate(*in_order(program))))


def _why_portable(call: KernelCall, program: Program) -> str:
    layer = short_name(call.layer)
    if program.target.choice(layer) is not None:
        return "chosen for this layer"
    if program.target.features and (layer in program.refusals or len(program.offers.get(layer, ())) < 2):
        return program.refusals.get(layer, "no kernel with the core's own instructions takes this layer")
    return "the core's plain instructions"


def _check(target: Target, program: Program) -> None:
    layers = {short_name(call.layer) for call in program.calls} | set(program.offers)
    for choice in target.choices:
        if choice.layer not in layers:
            raise UsageError(
                f"the model has no layer {choice.layer!r}", f"its layers are {', '.join(sorted(layers))}"
            )
        if choice.layer not in program.offers and choice.variant != "portable":
            raise UsageError(
                f"layer {choice.layer} has no kernel variant {choice.variant!r}", "it has portable"
            )


def _smallest(
    model: Model, target: Target, program: Program, memory: MemoryPlan, bands: Sequence[Band]
) -> tuple[Program, MemoryPlan]:
    """Greedy: while another variant of a layer at the peak is worth it, the one that saves most is taken.

    Portable kernels take several times as long. So they must save a larger part of the arena than the layer's
    part of the multiplications; variants with the core's instructions, a twentieth of it. Layers of equal
    peaks only help together: those are tried as a group, too.
    """
    trials = 0
    while trials < _MOST_TRIALS:
        layers = [layer for layer in _at_peak(program, memory) if target.choice(layer) is None]
        options = [[Choice(layer, other)] for layer in layers for other in _others(program, layer)]
        if len(layers) > 1:
            options.append([Choice(layer, _others(program, layer)[0]) for layer in layers])
        trials += len(options)
        found = [
            (
                chosen,
                *_planned(model, replace(target, choices=(*target.choices, *chosen)), program.name, bands),
            )
            for chosen in options
        ]
        worth = [
            one
            for one in found
            if one[2].arena_bytes <= memory.arena_bytes * (1 - max(_WORTH, _share(program, one[0])))
        ]
        if not worth:
            break
        chosen, program, memory = min(worth, key=lambda one: (one[2].arena_bytes, len(one[0])))
        target = replace(target, choices=(*target.choices, *chosen))
    return program, memory


def _share(program: Program, chosen: list[Choice]) -> float:
    """The part of all multiplications that the chosen layers do, by how much slower they become."""
    weights = {one.layer: 1.0 if one.variant == "portable" else _SLOWER_VARIANT for one in chosen}
    macs = sum(call.macs * weights.get(short_name(call.layer), 0.0) for call in program.calls)
    return macs / max(1, sum(call.macs for call in program.calls))


def _others(program: Program, layer: str) -> list[str]:
    """What the layer could have instead of what it has."""
    taken = {call.variant for call in program.calls if short_name(call.layer) == layer}
    return [variant for variant in program.offers.get(layer, ()) if variant not in taken]


def _at_peak(program: Program, memory: MemoryPlan) -> list[str]:
    """Layers with alternatives that read or write a buffer which ends (nearly) where the arena does."""
    top = memory.arena_bytes * (1 - _WORTH)
    high = {buffer for buffer, offset in memory.offsets.items() if offset + buffer.nbytes > top}
    layers = [
        short_name(call.layer) for call in program.calls if high.intersection([*call.reads, *call.writes])
    ]
    return [layer for layer in dict.fromkeys(layers) if _others(program, layer)]
