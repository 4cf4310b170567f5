# SPDX-License-Identifier: Apache-2.0
"""Bench results for tests: one that is complete, to be changed with msgspec.structs.replace."""

from __future__ import annotations

from tinyserve.bench.result import (
    Accuracy,
    ArenaBlock,
    BenchResult,
    Check,
    Estimate,
    Layer,
    Memory,
    ModelIdentity,
    Part,
    Setup,
)
from tinyserve.bench.scenarios.statistics import summarize


def make_result(board: str = "nano33", instructions: int = 2_700_000, name: str = "kws") -> BenchResult:
    """A result as an emulated board gives it: ten equal runs, every optional part filled."""
    latencies = [float(instructions)] * 10
    return BenchResult(
        created_utc="2026-01-02T03:04:05Z",
        model=ModelIdentity(
            name, "ab" * 32, "kws.keras", "cd" * 32, "keras", "int8", 2_656_768, 2_656_768, "kws01"
        ),
        setup=Setup(
            board, "Arduino Nano 33 BLE", "ef" * 32, "cortex-m4", 64_000_000, "unicorn", True, "aot",
            "balanced", "zig", ["-O2"], "01" * 32, "0.1.0", {"unicorn": "2.1.4", "ziglang": "0.17.1"}, 0,
        ),
        memory=Memory(
            flash_bytes=61_440, ram_bytes=14_336, arena_bytes=9_200, flash_limit_bytes=1_048_576,
            ram_limit_bytes=262_144, stack_used_bytes=612, stack_size_bytes=4096, invoke_stack_bytes=508,
            flash_parts=[Part("weights", 38_000), Part("kernels", 14_000), Part("protocol", 9_440)],
            ram_parts=[Part("arena", 9_200), Part("stack", 4096), Part("other", 1040)],
        ),
        latency=summarize(latencies, "instructions", warmup=1),
        latencies=latencies,
        latency_ms=Estimate(52.1, 58.9, "ms", "cortex-m4 timing table, no wait states"),
        energy_uj=Estimate(900.0, 1020.0, "uJ", "power figures of the board at full clock"),
        check=Check(20, 20, "tflite-micro"),
        accuracy=Accuracy("test.npz", "23" * 32, 4, 3, [[2, 0], [1, 1]]),
        layers=[
            Layer(0, "conv_1", "CONV_2D", 1_200_000, 1_000_000, "dsp", "4 pixels by 2 channels", 490, 8000),
            Layer(1, "depthwise_1", "DEPTHWISE_CONV_2D", 1_000_000, 600_000, "portable", "", 8000, 8000),
            Layer(2, "softmax", "SOFTMAX", 500_000, 0, "portable", "", 12, 12),
        ],
        arena=[
            ArenaBlock("input_1", "input", 0, 490, -1, 0),
            ArenaBlock("conv_1/Relu", "activation", 512, 8000, 0, 1),
            ArenaBlock("depthwise_1/Relu", "activation", 512, 8000, 1, 2),
            ArenaBlock("Identity", "output", 0, 12, 2, 3),
        ],
    )  # fmt: skip
