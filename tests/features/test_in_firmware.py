# SPDX-License-Identifier: Apache-2.0
"""The guide's loop, compiled with a stream's model: samples go in as they come, events come out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.features.specs import spec
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.places import CHECKOUT
from tinyserve import boards
from tinyserve.compiler.compile import compile_model, write
from tinyserve.compiler.host.build import find_compiler
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert.tflite.attach import attached, decided
from tinyserve.devices import open_device
from tinyserve.devices.client.client import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render

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
void heard(int32_t class_number, uint64_t sample) { printf("%d@%d\\n", (int)class_number, (int)sample); }
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
    return decided(given.decision, attached(given, built.build()), given.input.samples)


def stream() -> np.ndarray:
    """Hops of noise that is loud now and then."""
    loudness = np.repeat(np.random.default_rng(3).integers(0, 2, 15), 4) * 900 + 20
    return (np.random.default_rng(4).normal(size=(60, 40)) * loudness[:, None] / 2).astype(np.int16)


def test_the_loop_of_the_guide_sees_the_events_that_python_sees(tmp_path: Path) -> None:
    hops = stream()
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
    said = [f"{event}@{40 * number}" for number, event in enumerate(wanted, 1) if event >= 0]
    assert done.stdout.decode().split() == said
    assert len(said) >= 3


@pytest.mark.parametrize("cpu", ["cortex-m0", "cortex-m4", "rv32imc"])
def test_a_twin_says_the_events_that_python_hears(cpu: str, tmp_path: Path) -> None:
    hops = stream()
    compiled = compile_model(model(), name="kws")
    _, wanted = HostModel(compiled).events([hops[:, None]])
    assert [event.sample for event in wanted] == [40 * (event.inference + 1) for event in wanted]
    board = boards.load(cpu)
    firmware = build(render(compiled, board, tmp_path, "aot", emulate=True))
    with open_device(firmware, board) as device:
        client, found = Client(device.link), []
        client.identify()
        client.reset()
        for hop in hops:
            client.load(hop.tobytes())
            client.infer(1)
            found += client.events
    assert found == wanted
    assert len(wanted) >= 3
