# SPDX-License-Identifier: Apache-2.0
"""A tiny model with the generated C's interface, written by hand, so that firmware is tested alone.

Inputs: ``a`` int8[8] (scale 0.5, zero point -1) and ``b`` int8[4]. Outputs: ``sum`` int8[4] =
a[i] + a[i+4] + b[i] + i saturated (scale 1/256, zero point -128), and ``count`` int32[1]: invokes since
the last reset.
"""

from __future__ import annotations

from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.emit.emit import Sources
from tinyserve.compiler.graph.types import DType, Graph, Model, Quantization, Tensor
from tinyserve.compiler.passes import PassReport
from tinyserve.compiler.program import PORTABLE, Buffer, KernelCall, Lifetime, MemoryPlan, Program

SHA256 = "5f" * 32

_HEADER = """#ifndef TINY_H
#define TINY_H
#include <stdint.h>
void ts_tiny_init(void);
void *ts_tiny_input(uint32_t index);
int ts_tiny_invoke(void);
const void *ts_tiny_output(uint32_t index);
void ts_tiny_reset(void);
#ifdef TS_TINY_PROFILE
void ts_tiny_invoke_layer(uint32_t layer);
const char *ts_tiny_layer_name(uint32_t layer);
#endif
#endif
"""

_MODEL = """#include "tiny.h"
#include "tiny_weights.h"

static union { uint8_t bytes[ARENA_BYTES]; int32_t align; } ts_tiny_arena;

static int8_t *at(uint32_t offset) { return (int8_t *)ts_tiny_arena.bytes + offset; }

static void layer_sum(void)
{
    for (int i = 0; i < 4; i++) {
        int32_t y = at(0)[i] + at(0)[i + 4] + at(8)[i] + ts_tiny_bias[i];
        at(12)[i] = (int8_t)(y > 127 ? 127 : y < -128 ? -128 : y);
    }
}

static void layer_count(void) { ts_tiny_arena.bytes[16]++; }

void ts_tiny_init(void) { ts_tiny_reset(); }
void ts_tiny_reset(void) { for (int i = 16; i < 20; i++) ts_tiny_arena.bytes[i] = 0; }
void *ts_tiny_input(uint32_t index) { return at(index == 0 ? 0 : 8); }
const void *ts_tiny_output(uint32_t index) { return at(index == 0 ? 12 : 16); }
int ts_tiny_invoke(void) { layer_sum(); layer_count(); return 0; }
#ifdef TS_TINY_PROFILE
void ts_tiny_invoke_layer(uint32_t layer) { if (layer == 0) layer_sum(); else layer_count(); }
const char *ts_tiny_layer_name(uint32_t layer) { return layer == 0 ? "sum" : "count"; }
#endif
"""

_WEIGHTS_HEADER = """#include <stdint.h>
extern const int8_t ts_tiny_bias[PAD];
"""

_WEIGHTS = """#include "tiny_weights.h"
const int8_t ts_tiny_bias[PAD] = {0, 1, 2, 3};
"""


def tiny_model(arena_bytes: int = 32, weight_bytes: int = 4) -> Compiled:
    """The model. Sizes can be blown up to make it too large for a board."""
    a = _tensor("a", (1, 8), DType.INT8, Quantization((0.5,), (-1,)))
    b = _tensor("b", (1, 4), DType.INT8, Quantization((0.5,), (0,)))
    total = _tensor("sum", (1, 4), DType.INT8, Quantization((0.00390625,), (-128,)))
    count = _tensor("count", (1,), DType.INT32, None)
    kinds = {"a": "input", "b": "input", "sum": "output", "count": "state"}
    buffers = [Buffer(t.name, t.nbytes, t.dtype, kinds[t.name], tensor=t) for t in (a, b, total, count)]
    calls = [
        _call("sum", buffers[:2], buffers[2:3]),
        _call("count", [], buffers[3:]),
    ]
    program = Program(
        "tiny",
        PORTABLE,
        calls,
        buffers,
        [],
        buffers[:2],
        [buffers[2], buffers[3]],
        [a, b],
        [total, count],
        SHA256,
    )
    lifetimes = dict(
        zip(buffers, (Lifetime(-1, 0), Lifetime(-1, 0), Lifetime(0, 2), Lifetime(-1, 2)), strict=True)
    )
    plan = MemoryPlan(dict(zip(buffers, (0, 8, 12, 16), strict=True)), lifetimes, arena_bytes)
    files: dict[str, str | bytes] = {
        "tiny.h": _HEADER,
        "tiny.c": _MODEL.replace("ARENA_BYTES", str(arena_bytes)),
        "tiny_weights.h": _WEIGHTS_HEADER.replace("PAD", str(weight_bytes)),
        "tiny_weights.c": _WEIGHTS.replace("PAD", str(weight_bytes)),
    }
    graph = Graph("main", [a, b, total, count], [], [a, b], [total, count])
    return Compiled(
        "tiny",
        b"",
        Model([graph], "", SHA256),
        PassReport(),
        program,
        plan,
        Sources(files, ("tiny.c", "tiny_weights.c")),
    )


def _tensor(name: str, shape: tuple[int, ...], dtype: DType, quantization: Quantization | None) -> Tensor:
    return Tensor(0, name, shape, dtype, quantization)


def _call(name: str, reads: list[Buffer], writes: list[Buffer]) -> KernelCall:
    return KernelCall(name, "", None, [], reads, writes, layer=name, op="ADD")
