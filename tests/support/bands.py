# SPDX-License-Identifier: Apache-2.0
"""Models whose layers are computed by rows wherever they may be, whether that is worth it or not."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

from tests.compiler.ops.generate import Random
from tests.support.differential import Case
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.graphs.grower import Grower, SkipLayer
from tests.support.graphs.random_graph import LAYERS, _outputs, _values
from tests.support.graphs.weighted import ACTIVATIONS
from tinyserve.compiler import ops, passes
from tinyserve.compiler.bands.build import kinds_of, small_node
from tinyserve.compiler.bands.feed import fed_input, no_band
from tinyserve.compiler.bands.schedule import ImpossibleError, Schedule
from tinyserve.compiler.bands.stages import Band, Kernels, needed_after, refusal, shape_of, slabs_of
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.emit.emit import emit
from tinyserve.compiler.graph.rows import lines
from tinyserve.compiler.graph.types import Model, Node
from tinyserve.compiler.lower import kernels_of, lower
from tinyserve.compiler.ops.support.base import OpDef
from tinyserve.compiler.plan.planner import plan
from tinyserve.compiler.program import PORTABLE, STATIC, BandCall, Interface, Target

_IMAGE_LAYERS = (
    "CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D", "ADD",
    "ADD", "MUL", "SUB", "MAXIMUM", "CONCATENATION", "RELU", "LOGISTIC", "QUANTIZE", "PRELU", "PAD",
    "RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE_CONV", "BILINEAR", "BILINEAR",
)  # fmt: skip


def operator(node: Node) -> OpDef:
    return ops.registry()[node.name]


def image_graph(
    seed: int, samples: int = 2, floats: bool = True, lines: bool = False, reads_once: bool = False
) -> Case:
    """Layers of images with enough rows that bands move them: chains, skips, branches, several outputs.
    ``lines``: images of one row, as 1-D models have them. ``reads_once``: only the first layer reads the
    input, as most models have it."""
    r = Random(seed, 900)
    model = ModelBuilder()
    g = Grower(r, model.graph(), floats=floats and seed % 4 == 0, least=seed % 4 == 1)
    shape = (1, r.integer(7, 24), r.choice((4, 8, 12)), r.integer(1, 6))
    if lines:
        shape = (1, 1, r.integer(16, 60), r.integer(1, 8))
    g.input(shape, r.choice(("int8", "int8", "int8", "int16")))
    wanted = r.integer(3, 10)
    for _ in range(60):
        try:
            _layer(g, r.choice(_IMAGE_LAYERS))
        except SkipLayer:
            continue
        if reads_once:
            g.values = [value for value in g.values if value not in g.inputs] or g.values
        if sum(g.drawn.values()) >= wanted:
            break
    if r.chance(0.6):
        with contextlib.suppress(SkipLayer):
            _gathers(g, r.choice(_GATHERING))
    g.graph.output(*_outputs(g))
    drawn = [[_values(r, ref) for ref in g.inputs] for _ in range(samples)]
    return Case(f"image seed {seed}: {' '.join(g.drawn.elements())}", model.build(), drawn)


def _layer(g: Grower, name: str) -> None:
    if name != "BILINEAR":
        LAYERS[name](g)
        return
    x = g.pick("int8", "float32", low=4)
    size = [g.r.choice((1, 2, 2, 3, 4)) * extent for extent in x.shape[1:3]]
    half = g.r.chance(0.5)
    y = g.like(x, (x.shape[0], *size, x.shape[3]))
    g.add(
        "RESIZE_BILINEAR",
        [x, g.integers(*size)],
        y,
        half_pixel_centers=half,
        align_corners=g.r.chance(0.1) and not half,
    )


_GATHERING = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")


def reductions() -> list[Case]:
    """A model for each reduction that takes rows in, of few pixels and of more than 16 bits can sum."""
    cases = []
    shapes = ((1, 5, 5, 3), (1, 15, 17, 8), (1, 24, 12, 9), (1, 19, 16, 6), (1, 40, 2, 16))
    for number, (name, dtype) in enumerate(itertools.product(_GATHERING, ("int8", "int16", "int8"))):
        r = Random(number, 901)
        model = ModelBuilder()
        g = Grower(r, model.graph(), floats=False)
        g.input(shapes[number % len(shapes)], dtype)
        with contextlib.suppress(SkipLayer):
            _gathers(g, name)
            g.graph.output(*_outputs(g))
            drawn = [[_values(r, ref) for ref in g.inputs] for _ in range(2)]
            cases.append(Case(f"reduction {number}: {name} of {dtype}", model.build(), drawn))
    return cases


def _gathers(g: Grower, name: str) -> None:
    """A reduction that takes in all rows of an image: a pool of all of it, or one over chosen axes."""
    x = g.pick("int8", "int8", "int16", "float32", low=4, fits=lambda ref: ref.shape[0] == 1)
    height, width, channels = x.shape[1:]
    if name.endswith("POOL_2D"):
        size = {"filter_height": height, "filter_width": width, "stride_h": height, "stride_w": width}
        y = g.like(x, (1, 1, 1, channels))
        g.add(name, [x], y, padding=g.r.choice(("SAME", "VALID")), activation=g.r.choice(ACTIVATIONS), **size)
        return
    axes = g.r.choice(((1,), (1, 2), (2, 1), (1, 3), (-3, -2)))
    keep = g.r.chance(0.5)
    gone = {axis % 4 for axis in axes}
    shape = [1 if axis in gone else n for axis, n in enumerate(x.shape) if keep or axis not in gone]
    if x.dtype != "int8" and name.startswith("REDUCE"):
        raise SkipLayer  # TFLM has int8 alone
    y = g.tensor(shape, x.dtype) if name in ("MEAN", "SUM") and g.r.chance(0.5) else g.like(x, shape)
    g.add(name, [x, g.integers(*axes)], y, keep_dims=keep)


def all_bands(model: Model, chance: random.Random, target: Target = PORTABLE) -> list[Band]:
    """Every run of layers that can be a band, as long as may be, with any number of rows per step, which are
    moved early or late, and with any kernels that the target has for them. Raises UnsupportedError where the
    input can't be fed by rows and is to be."""
    nodes = model.main.nodes
    plain = lower(model, PORTABLE, "plain")
    fed = fed_input(model.main, operator, PORTABLE) if target.feed == "rows" else None
    kernels = kernels_of(model, target)
    found: list[Band] = []
    first = fed.first if fed else 0
    while first < len(nodes):
        end = first
        while end < len(nodes) and not refusal(nodes[end], operator(nodes[end]), PORTABLE):
            end += 1
        for last in range(end, first, -1):
            rows = tuple(_rows(node, chance) for node in nodes[first:last])
            taken = fed.tensor if fed and first == fed.first else None
            band = Band(first, rows, taken)
            schedule = _schedule(band, nodes[first:last], needed_after(band, model.main, plain.values))
            if schedule is not None:
                drawn = random.Random(f"{rows} {first}")
                early = tuple(number for number in schedule.can_be_early if drawn.random() < 0.5)
                variants = _variants(nodes[first:last], rows, kernels, drawn)
                found.append(replace(band, early=early, variants=variants))
                first = last - 1
                break
        first += 1
    if fed and (not found or found[0].fed is None):
        raise no_band(nodes[fed.first], "no band takes it")
    return found


def _variants(
    nodes: Sequence[Node], rows: Sequence[int], kernels: Kernels, drawn: random.Random
) -> tuple[tuple[int, str], ...]:
    """Kernels for about half of the layers that have several."""
    options = [_kernels_by_rows(node, count, kernels) for node, count in zip(nodes, rows, strict=True)]
    return tuple(
        (number, drawn.choice(names))
        for number, names in enumerate(options)
        if names and drawn.random() < 0.5
    )


def _kernels_by_rows(node: Node, rows: int, kernels: Kernels) -> list[str]:
    """The kernel variants that take every kind of steps of a layer."""
    definition = operator(node)
    rule = definition.rows(node)
    assert rule is not None
    kept = definition.kept_between(node) if rule.gathers else None
    kinds, _ = kinds_of(slabs_of(node, rule, rows))
    small = [small_node(node, slab, definition, kept) for slab in kinds]
    return sorted(set.intersection(*({*kernels.slab_costs(one, one if kept else node)} for one in small)))


def _rows(node: Node, chance: random.Random) -> int:
    rule = operator(node).rows(node)
    assert rule is not None
    return min(lines(node, rule), rule.up * chance.choice((1, 1, 2, 3, 4)))


def _schedule(band: Band, nodes: Sequence[Node], kept: set) -> Schedule | None:  # type: ignore[type-arg]
    """None where there can be no such band."""
    try:
        shape = shape_of(nodes, band.rows, kept, operator, band.fed)
        for slabs in shape.slabs:
            kinds_of(slabs)
        return shape.simulate()
    except ImpossibleError:
        return None


def banded(
    data: bytes,
    target: Target = PORTABLE,
    seed: int = 0,
    optimize: bool = True,
    *,
    name: str = "model",
    interface: Interface = STATIC,
) -> Compiled:
    """The model with a band wherever there can be one; fed where the target says so."""
    model = passes.load(data)
    report = passes.optimize(model) if optimize else passes.PassReport()
    program = lower(model, target, name, all_bands(model, random.Random(seed), target))
    memory = plan(program)
    return Compiled(program.name, data, model, report, program, memory, emit(program, memory, interface))


def band_calls(compiled: Compiled) -> list[BandCall]:
    return [call for call in compiled.program.calls if isinstance(call, BandCall)]
