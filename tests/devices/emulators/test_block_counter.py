# SPDX-License-Identifier: Apache-2.0
"""QEMU counts the blocks of one function exactly, and says why where it can't."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.devices.conftest import BuildProbe
from tests.devices.emulators.test_qemu import BOARDS, needs_arm
from tinyserve.devices import open_device
from tinyserve.devices.emulators import block_counter, shared_library
from tinyserve.devices.emulators.block_counter import BlockCounter
from tinyserve.errors import ToolError


@pytest.mark.parametrize("name", BOARDS)
def test_the_last_run_of_the_function_is_counted_exactly(build_probe: BuildProbe, name: str) -> None:
    firmware, board = build_probe(name)
    with open_device(firmware, board, "qemu", counted="counted_loop") as device:
        device.link.read_line(20)
        for turns in (70, 54_321):
            device.link.write(f"c{turns}%".encode())
            device.link.read_line(20)
            assert device.function_counts() == {"counted_loop": 2 * turns + 1}


@needs_arm
def test_before_the_first_run_there_is_nothing_to_tell(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("mps2-an385")
    with open_device(firmware, board, "qemu", counted="counted_loop") as device:
        device.link.read_line(20)
        with pytest.raises(ToolError, match="counted no run"):
            device.function_counts()


@needs_arm
@pytest.mark.parametrize(
    ("counted", "reason"), [(None, "started without a function to count"), ("nothing", "no function nothing")]
)
def test_what_was_not_counted_is_said_when_it_is_asked_for(
    build_probe: BuildProbe, counted: str | None, reason: str
) -> None:
    firmware, board = build_probe("mps2-an385")
    with open_device(firmware, board, "qemu", counted=counted) as device:
        assert device.link.read_line(20) == "ready"
        with pytest.raises(ToolError, match=reason):
            device.function_counts()


@needs_arm
def test_a_qemu_that_refuses_the_plugin_runs_without(
    build_probe: BuildProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_counter, "_plugin_api", lambda program: 99)
    firmware, board = build_probe("mps2-an385")
    with open_device(firmware, board, "qemu", counted="counted_loop") as device:
        assert device.link.read_line(20) == "ready"
        with pytest.raises(ToolError, match=r"QEMU did not start: .*plugin"):
            device.function_counts()


def fake_qemu(directory: Path, help_text: str, refusal: str = "") -> str:
    """QEMU, which refuses a plugin of a version beyond its own."""
    path = directory / "qemu-system-arm"
    path.write_text(
        f'#!/bin/sh\ncase "$1" in -help) echo "{help_text}";; -machine) echo "{refusal}" >&2; exit 1;; esac\n'
    )
    path.chmod(0o755)
    return str(path)


def test_a_qemu_without_plugins_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="built without plugins") as caught:
        BlockCounter(fake_qemu(tmp_path, "-machine"), 0x100)
    assert "unicorn" in caught.value.hint


@pytest.mark.parametrize(("newest", "api"), [(0, 1), (1, 1), (2, 2), (6, 2), (7, 7), (8, 7)])
def test_the_plugin_announces_the_interface_that_this_qemu_takes(
    tmp_path: Path, newest: int, api: int
) -> None:
    """QEMU 7.2 has 1, 9.0 has 2, 10.0 has 4, 11.1 has 7 and takes nothing older."""
    refusal = f"plugin requires API version 1048576, but this QEMU supports only up to version {newest}"
    program = fake_qemu(tmp_path, "-plugin [file=]<file>", refusal)
    assert block_counter._plugin_api(program) == api


def test_a_qemu_that_does_not_say_which_plugins_it_takes_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="does not say which plugins it takes"):
        block_counter._plugin_api(fake_qemu(tmp_path, "-plugin file", "no such option"))


@needs_arm
def test_the_qemu_of_this_machine_says_what_it_takes() -> None:
    program = shutil.which("qemu-system-arm")
    assert program is not None
    assert block_counter._plugin_api(program) in block_counter._SPOKEN


CALLER = """
#include <stdint.h>
#include <stdio.h>
#include <string.h>
typedef void (*executed_cb)(unsigned, void *);
static void *translated, *user_of_block;
static executed_cb executed;
static int users = -1;
static uint64_t address;
#if API >= 7
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void *cb, void *user)
{ translated = cb; users = user != 0; }
#else
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void *cb) { translated = cb; users = 0; }
#endif
void qemu_plugin_register_vcpu_tb_exec_cb(void *tb, executed_cb cb, int flags, void *user)
{ executed = cb; user_of_block = user; }
size_t qemu_plugin_tb_n_insns(const void *tb) { return 2; }
uint64_t qemu_plugin_tb_vaddr(const void *tb) { return address; }
void *qemu_plugin_tb_get_insn(const void *tb, size_t index) { return (void *)tb; }
uint64_t qemu_plugin_insn_vaddr(const void *instruction) { return address + 2; }
size_t qemu_plugin_insn_size(const void *instruction) { return 2; }
void qemu_plugin_outs(const char *text) { fputs(text, stdout); }
extern int qemu_plugin_version;
extern int qemu_plugin_install(uint64_t id, const void *about, int argc, char **argv);
static void run(uint64_t at)
{
    int tb;
    address = at;
#if API >= 7
    ((void (*)(void *, void *))translated)(&tb, NULL);
#else
    ((void (*)(uint64_t, void *))translated)(4711, &tb);
#endif
    executed(0, user_of_block);
}
int main(void)
{
    char *arguments[] = {"entry=100"};
    if (qemu_plugin_install(4711, NULL, 1, arguments) || qemu_plugin_version != API || users != 0) return 1;
    run(0x20); run(0x100); run(0x104); run(0x104); run(0x24); /* a call, two turns, the return */
    return 0;
}
"""


@pytest.mark.parametrize("api", block_counter._SPOKEN)
def test_each_interface_s_callbacks_are_those_of_its_version(api: int, tmp_path: Path) -> None:
    """A program that calls the plugin as QEMU of that version does, and fails where the arguments differ."""
    (tmp_path / "caller.c").write_text(CALLER)
    library = shared_library.built(block_counter.SOURCE, f"TS_QEMU_PLUGIN_API={api}")
    compiler = shutil.which("gcc") or pytest.skip("no gcc")
    command = [
        compiler,
        "-w",
        f"-DAPI={api}",
        "caller.c",
        str(library),
        "-rdynamic",
        f"-Wl,-rpath,{library.parent}",
    ]
    subprocess.run([*command, "-o", "caller"], cwd=tmp_path, check=True, timeout=60)
    done = subprocess.run([tmp_path / "caller"], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, sorted(done.stdout.split("\n"))) == (
        0,
        ["", "100 2 1", "104 2 2", "begin", "end"],
    )


def test_a_program_that_has_too_many_blocks_is_not_counted_wrongly(tmp_path: Path) -> None:
    program = fake_qemu(tmp_path, "-plugin file", "supports only up to version 1")
    counter = BlockCounter(program, 0x100)
    log = Path(counter.options[-1])
    log.write_text("begin\n100 2 5\nend\nbegin\n100 2 3\n10a 10 1\nend\n")
    assert counter.executed() == [(0x100, 6), (0x10A, 16)]
    log.write_text("begin\n100 2 5\nend\nbegin\n100 2 3\nfull\n")
    with pytest.raises(ToolError, match="more basic blocks"):
        counter.executed()
    counter.close()
    assert not log.parent.exists()
