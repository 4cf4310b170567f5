# SPDX-License-Identifier: Apache-2.0
"""A program of this computer is counted by valgrind; without it, it runs as ever and says what is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.devices.conftest import Probe
from tinyserve import boards
from tinyserve.devices import open_device
from tinyserve.devices.emulators import callgrind
from tinyserve.errors import DeviceError, ToolError

PROGRAM = r"""
#include <stdio.h>
#define PLAIN __attribute__((noinline))
static volatile int sink;
PLAIN static void work(int turns) { for (int i = 0; i < turns; i++) { sink += i; } }
PLAIN static void first(void) { work(1000); sink = 0; }
PLAIN static void second(void) { work(3000); sink = 0; }
PLAIN int ts_model_invoke(void) { first(); second(); return 0; }
int main(void)
{
    puts("ready");
    fflush(stdout);
    for (int c = getchar(); c != EOF; c = getchar()) {
        if (c == '%') {
            work(123456);
            ts_model_invoke();
            puts("done");
            fflush(stdout);
        }
    }
    return 0;
}
"""

DUMP = """# callgrind format
version: 1
part: 2
desc: Trigger: --dump-after=ts_model_invoke

positions: line
events: Ir
summary: 118

ob=/firmware.elf
fl=model.c
fn=ts_model_invoke
10 3
cfn=conv2d
calls=1 20
11 75
cfi=add.h
cfn=add
calls=2 30
12 40
fi=window.h
17 0

fl=model.c
fn=conv2d
20 70
21 5

fn=add
30 25
cfn=conv2d
calls=0 0
31 0
fe=add.h
32 15

fn=(below main)
calls=0 0
0 118
totals: 118
"""

needs_valgrind = pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    directory = tmp_path_factory.mktemp("host")
    (directory / "host.c").write_text(PROGRAM)
    # Not optimized: gcc clones functions under other names otherwise.
    command = ["cc", "-O0", "-o", "firmware", "host.c"]
    subprocess.run(command, cwd=directory, check=True, timeout=60)
    return Probe(directory / "firmware")


def test_costs_go_to_the_function_itself_and_calls_to_the_pair() -> None:
    dump = callgrind.parse(DUMP)
    assert dump.functions == {"conv2d": 75, "add": 40, "ts_model_invoke": 3}
    assert dump.calls["ts_model_invoke", "conv2d"] == 75
    assert dump.calls["ts_model_invoke", "add"] == 40


@needs_valgrind
def test_the_invoke_alone_is_counted_and_every_time_the_same(program: Probe) -> None:
    seen = []
    with open_device(program, boards.load("host"), counted="ts_model_invoke") as device:
        assert device.link.read_line(60) == "ready"
        for _ in range(2):
            device.link.write(b"%")
            assert device.link.read_line(60) == "done"
            seen.append((device.function_counts(), device.layer_counts(["second", "first", "merged"])))
    assert seen[0] == seen[1]
    functions, layers = seen[0]
    assert set(functions) == {"work", "first", "second", "ts_model_invoke"}
    assert layers is not None
    assert sum(functions.values()) == sum(layers) + functions["ts_model_invoke"]
    assert layers[2] == 0
    assert 2.9 < layers[0] / layers[1] < 3.1  # 3000 turns and 1000


@needs_valgrind
def test_valgrind_leaves_no_pipes_in_the_temporary_directory(
    program: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with open_device(program, boards.load("host"), counted="ts_model_invoke") as device:
        assert device.link.read_line(60) == "ready"
    assert not list(tmp_path.glob("vgdb*"))


@needs_valgrind
def test_nothing_to_tell_before_the_first_inference(program: Probe) -> None:
    with open_device(program, boards.load("host"), counted="ts_model_invoke") as device:
        assert device.link.read_line(60) == "ready"
        with pytest.raises(DeviceError, match="no inference"):
            device.function_counts()


def test_without_valgrind_the_program_runs_and_the_package_is_named(
    program: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callgrind, "find", lambda: None)
    with open_device(program, boards.load("host"), counted="ts_model_invoke") as device:
        assert device.link.read_line(20) == "ready"
        with pytest.raises(ToolError, match="valgrind") as caught:
            device.function_counts()
        assert device.layer_counts(["first"]) is None
    assert "apt install valgrind" in caught.value.hint
