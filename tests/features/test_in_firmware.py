# SPDX-License-Identifier: Apache-2.0
"""The guide's loop, compiled with a stream's model: samples go in as they come, events come out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np

from tests.features.specs import spec
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.places import CHECKOUT
from tinyserve.compiler.compile import compile_model, write
from tinyserve.compiler.host.build import find_compiler
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert.tflite.attach import attached, decided

TEXT = """
[input]
shape = [40]
type = "int16"
stream = true

[[steps]]
kind = "window"
length = 80
hop = 40

[[steps]]
kind = "statistics"
of = ["mean", "max"]

[decision]
enter = 500.0
hold = 2
ignore = [0]
"""
MAIN = """
#include <stdio.h>
#include <stdlib.h>
void listen(void);
void microphone_read(int16_t *samples, uint32_t bytes)
{
    if (fread(samples, 1, bytes, stdin) != bytes) {
        exit(0);
    }
}
void on_event(int32_t class_number) { printf("%d\\n", (int)class_number); }
int main(void) { listen(); return 1; }
"""


def model() -> bytes:
    """Scores of two classes: the mean and the largest sample of a window."""
    built = ModelBuilder()
    graph = built.graph()
    x, y = graph.input((1, 2), "float32"), graph.tensor((1, 2), "float32")
    graph.op("RELU", [x], [y])
    graph.output(y)
    given = spec(TEXT)
    assert given.decision is not None
    return decided(given.decision, attached(given, built.build()))


def test_the_loop_of_the_guide_sees_the_events_that_python_sees(tmp_path: Path) -> None:
    loudness = np.repeat(np.random.default_rng(3).integers(0, 2, 15), 4) * 900 + 20
    hops = (np.random.default_rng(4).normal(size=(60, 40)) * loudness[:, None] / 2).astype(np.int16)
    guide = (CHECKOUT / "docs" / "guide" / "features.md").read_text()
    loop = re.search(r"```c\n(.*?)```", guide, re.DOTALL)
    assert loop is not None
    compiled = compile_model(model(), name="kws")
    write(compiled, tmp_path)
    (tmp_path / "main.c").write_text("#include <stdint.h>\n" + loop[1] + MAIN)
    sources = [*(tmp_path / name for name in compiled.sources.compile), tmp_path / "main.c"]
    binary = tmp_path / "listen"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-I", str(tmp_path)]
    command = [*find_compiler(), *flags, *map(str, sources), "-o", str(binary)]
    subprocess.run(command, check=True, timeout=120)
    done = subprocess.run([binary], input=hops.tobytes(), capture_output=True, check=True, timeout=60)
    host = HostModel(compiled)
    wanted = [int(host.run([hop[None]])[1][0, 0]) for hop in hops]
    assert [int(line) for line in done.stdout.split()] == [event for event in wanted if event >= 0]
    assert sum(event >= 0 for event in wanted) >= 3
