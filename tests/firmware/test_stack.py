# SPDX-License-Identifier: Apache-2.0
"""The stack that is known at compile time: decoders, call graph, and that no run goes beyond it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.compiler.bands.test_feed import drawn, small
from tests.firmware.tiny_model import tiny_model
from tinyserve import boards, workflow
from tinyserve.boards.catalog import cores
from tinyserve.compiler.compile import compile_model
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.firmware import riscv_code, thumb_code
from tinyserve.firmware.build import build
from tinyserve.firmware.process import run
from tinyserve.firmware.render import render
from tinyserve.firmware.stack import StackReport, worst_case
from tinyserve.firmware.toolchain import toolchain_for

SCRIPT = """SECTIONS {
    . = 0x10000;
    .model : { *(.text .text.*) *(.rodata .rodata.*) }
    .data : { *(.data .data.*) *(.bss .bss.*) }
    .stack_sizes (INFO) : { *(.stack_sizes) }
    /DISCARD/ : { *(.ARM.exidx*) }
}
"""


def _analyse(source: str, directory: Path, core: str = "cortex-m4", gcc: bool = False) -> StackReport:
    tools = toolchain_for(cores()[core], "gcc" if gcc else "zig")
    (directory / "a.c").write_text(source)
    (directory / "a.ld").write_text(SCRIPT)
    link = ["-nostdlib", "-T", "a.ld", "-Wl,--entry=ts_x_invoke", "-o", "a.elf"]
    finished = run(
        [*tools.compiler, *tools.target_flags, *tools.compile_flags, "-O1", "a.c", *link], directory, 120
    )
    assert finished.status == 0, finished.output
    report = worst_case(directory / "a.elf", "x")
    assert report is not None
    return report


CHAIN = """
__attribute__((noinline)) int deep(int n) { volatile char room[400]; room[n] = 1; return room[0]; }
__attribute__((noinline)) int flat(int n) { volatile char room[40]; room[n] = 1; return room[0]; }
__attribute__((noinline)) int middle(int n) { return deep(n) + 1; }
int ts_x_invoke(void) { return middle(3) + flat(2); }
"""


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
def test_the_deepest_chain_of_calls_is_found(core: str, tmp_path: Path) -> None:
    report = _analyse(CHAIN, tmp_path, core)
    assert report.invoke_path == ("ts_x_invoke", "middle", "deep")
    assert 400 <= report.invoke_bytes <= 480
    assert report.complete


def test_frames_are_read_off_the_code_where_the_compiler_does_not_say(tmp_path: Path) -> None:
    tools = toolchain_for(cores()["cortex-m4"])
    without = [flag for flag in tools.compile_flags if flag != "-fstack-size-section"]
    (tmp_path / "a.c").write_text(CHAIN)
    (tmp_path / "a.ld").write_text(SCRIPT)
    command = [*tools.compiler, *tools.target_flags, *without, "-O1", "a.c", "-nostdlib", "-T", "a.ld"]
    finished = run([*command, "-Wl,--entry=ts_x_invoke", "-o", "a.elf"], tmp_path, 120)
    assert finished.status == 0, finished.output
    decoded = worst_case(tmp_path / "a.elf", "x")
    assert decoded is not None
    assert decoded.invoke_bytes == _analyse(CHAIN, tmp_path).invoke_bytes


def test_recursion_makes_the_figure_a_lower_bound(tmp_path: Path) -> None:
    source = """
    __attribute__((noinline)) int ts_x_invoke(void);
    __attribute__((noinline)) int other(int n) { volatile int kept = n; return ts_x_invoke() + kept; }
    int ts_x_invoke(void) { volatile int n = 1; return other(n) + n; }
    """
    assert not _analyse(source, tmp_path).complete


def test_a_call_through_a_table_reaches_the_functions_in_it(tmp_path: Path) -> None:
    source = """
    static int small(int n) { return n; }
    static int large(int n) { volatile char room[300]; room[n] = 1; return room[0]; }
    int (*const table[2])(int) = {small, large};
    volatile int which;
    int ts_x_invoke(void) { return table[which](1) + 1; }
    """
    report = _analyse(source, tmp_path)
    assert report.invoke_path == ("ts_x_invoke", "large")
    assert report.invoke_bytes >= 300


SLICES = """
typedef int (*function)(int);
__attribute__((noinline)) int layer(int n) { volatile char room[400]; room[n] = 1; return room[0]; }
__attribute__((noinline)) int inner(int n) { volatile char room[40]; room[n] = 1; return room[0]; }
const function table[2] = {inner, inner};
const function layer_functions[2] = {layer, layer};
__attribute__((noinline)) int kernel(int n) { return table[n & 1](n) + 1; }
int ts_x_invoke(void) { return kernel(3) + 1; }
int ts_x_step(int n) { return layer_functions[n & 1](n) + 1; }
"""


def test_a_kernel_that_calls_through_a_pointer_reaches_no_layer(tmp_path: Path) -> None:
    """The table of layers is there for time slices and profiles, which alone call through it."""
    report = _analyse(SLICES, tmp_path, "cortex-m4")
    assert report.complete
    assert report.invoke_path == ("ts_x_invoke", "kernel", "inner")


ROWS = """
typedef int (*function)(int);
volatile int which;
__attribute__((noinline)) int inner(int n) { volatile char room[40]; room[n] = 1; return room[0]; }
__attribute__((noinline)) int other(int n) { volatile char room[60]; room[n] = 1; return room[0]; }
const function params[2] = {inner, other};
__attribute__((noinline)) int ts_dsp_kernel(int n) { return params[which](n) + 1; }
__attribute__((noinline)) int pool_rows(int n) { volatile char room[200]; room[n] = 1; return room[0]; }
__attribute__((noinline)) int conv_rows(int n) { return ts_dsp_kernel(n) + 1; }
const function conv_stages[2] = {conv_rows, pool_rows};
__attribute__((noinline)) int ts_row_band_go_on(int n) { return conv_stages[which](n) + 1; }
__attribute__((noinline)) int conv(int n) { return ts_row_band_go_on(n) + 1; }
__attribute__((noinline)) int conv_some_rows(int n) { volatile char room[400]; return room[conv(n)]; }
const function layer_functions[2] = {conv, conv};
const function layer_rows[2] = {conv_some_rows, conv};
int ts_x_invoke(void) { return ts_dsp_kernel(3) + conv(2) + 1; }
int ts_x_step(int n) { return layer_rows[which](n) + layer_functions[which](n); }
"""


def test_layers_by_rows_are_no_recursion(tmp_path: Path) -> None:
    """Steps are called by the rows' driver alone: a kernel that calls through a pointer reaches none of them,
    nor does a step reach a layer."""
    report = _analyse(ROWS, tmp_path, "cortex-m4")
    assert report.complete
    assert report.invoke_path == ("ts_x_invoke", "conv", "ts_row_band_go_on", "pool_rows")


def test_a_firmware_without_that_model_has_no_report(tmp_path: Path) -> None:
    _analyse(CHAIN, tmp_path)
    assert worst_case(tmp_path / "a.elf", "other") is None


@pytest.mark.parametrize(
    ("code", "frame"),
    [
        ("f0b5", 20),  # push {r4-r7, lr}
        ("2de9f04f", 36),  # push.w {r4-r11, lr}
        ("84b0", 16),  # sub sp, #16
        ("add2007d", 0),  # no sub of sp: bytes that only look like one
        ("adf5007d", 512),  # sub.w sp, sp, #512
        ("adf20c4d", 1036),  # subw sp, sp, #1036
        ("2ded108b", 64),  # vpush {d8-d15}
        ("4df804ed", 4),  # str lr, [sp, #-4]!
    ],
)
def test_thumb_frames(code: str, frame: int) -> None:
    assert thumb_code.frame_bytes(bytes.fromhex(code)) == frame


@pytest.mark.parametrize(
    ("code", "targets"),
    [
        ("00f002f8", [0x1008]),  # bl +4
        ("fff7feff", [0x1000]),  # bl to itself
        ("fff7bcbf", [0x0F7C]),  # b.w backwards
        ("00e0", [0x1004]),  # b +0
        ("fee7", [0x1000]),  # b to itself
        ("8847", [None]),  # blx r1
        ("0847", [None]),  # bx r1
        ("7047", []),  # bx lr
        ("00bf", []),  # nop
        ("00d0", []),  # beq: stays inside the function
    ],
)
def test_thumb_transfers(code: str, targets: list[int | None]) -> None:
    assert [t.target for t in thumb_code.transfers(bytes.fromhex(code), 0x1000)] == targets


@pytest.mark.parametrize(
    ("code", "frame"),
    [
        ("130101ff", 16),  # addi sp, sp, -16
        ("0d71", 352),  # c.addi16sp sp, -352
        ("4111", 16),  # c.addi sp, -16
        ("4101", 0),  # c.addi sp, 16
        ("13010101", 0),  # addi sp, sp, 16
    ],
)
def test_riscv_frames(code: str, frame: int) -> None:
    assert riscv_code.frame_bytes(bytes.fromhex(code)) == frame


@pytest.mark.parametrize(
    ("code", "targets"),
    [
        ("ef008000", [0x1008]),  # jal ra, +8
        ("6ff0dfff", [0x0FFC]),  # j -4
        ("21a0", [0x1008]),  # c.j +8
        ("2120", [0x1008]),  # c.jal +8
        ("97000000e7804000", [0x1004]),  # auipc ra, 0; jalr ra, 4(ra)
        ("8295", [None]),  # c.jalr a1
        ("8280", []),  # ret
        ("67800000", []),  # jalr x0, 0(ra): ret
    ],
)
def test_riscv_transfers(code: str, targets: list[int | None]) -> None:
    assert [t.target for t in riscv_code.transfers(bytes.fromhex(code), 0x1000)] == targets


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "rv32imc"])
def test_no_run_uses_more_stack_than_is_known_at_compile_time(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    firmware = build(render(tiny_model(), board, tmp_path))
    assert firmware.stack is not None and firmware.stack.complete
    with open_device(SimpleNamespace(elf=firmware.elf), board) as device:
        client = Client(device.link)
        client.identify()
        client.infer(2, 1)
        client.profile()
        used = client.memory().stack_used
    assert used is not None
    assert 64 < used <= firmware.stack.total_bytes


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "rv32imc"])
def test_nor_does_a_run_of_layers_by_rows(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    compiled = compile_model(small(), workflow.target(board, "ram", feed="rows"))
    firmware = build(render(compiled, board, tmp_path))
    assert firmware.stack is not None and firmware.stack.complete
    with open_device(SimpleNamespace(elf=firmware.elf), board) as device:
        client = Client(device.link)
        client.identify()
        client.load(drawn((1, 12, 6, 4)).tobytes(), 0)
        client.infer(1, 0)
        used = client.memory().stack_used
    assert used is not None
    assert 64 < used <= firmware.stack.total_bytes
