# SPDX-License-Identifier: Apache-2.0
"""Emitted C of many models in one image: built, run on this computer or on an emulated core, outputs taken.

Outputs of every sample follow each other in ``results``, each inference behind the status of its invoke.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import unicorn
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tests.support.core import CPUS, SHIM_SOURCES
from tests.support.differential import Array, Case
from tests.sweep.builds import Build
from tinyserve.compiler.compile import Compiled, write

_SUPPORT = Path(__file__).resolve().parents[1] / "support"
_TIMEOUT_S = 280
_TEXT, _CONSTANTS, _DATA = 0x1000, 0x01000000, 0x21000000
_STACK, _STACK_BYTES = 0x20000000, 0x10000


@dataclass(frozen=True)
class Entry:
    """A model of an image, with what goes in."""

    case: Case
    compiled: Compiled


def run(entries: Sequence[Entry], build: Build) -> list[list[list[Array]]]:
    """Per model and sample the outputs. RuntimeError for a compiler, a fault or an invoke that failed."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as scratch:
        binary = _build(entries, build, Path(scratch))
        if build.core == "host":
            raw = _execute([str(binary)])
        elif build.core == "cortex-m55":
            machine = ["qemu-system-arm", "-M", "mps3-an547", "-display", "none", "-serial", "none"]
            options = ["-monitor", "none", "-semihosting-config", "enable=on,target=native"]
            raw = _execute([*machine, *options, "-kernel", str(binary)])
        else:
            raw = _in_unicorn(binary, build.core, _result_bytes(entries))
    return _decode(entries, raw)


def _decode(entries: Sequence[Entry], raw: bytes) -> list[list[list[Array]]]:
    wanted = _result_bytes(entries)
    if len(raw) != wanted:
        raise RuntimeError(f"{len(raw)} bytes of outputs instead of {wanted}: {raw[-60:]!r}")
    found, at = [], 0
    for entry in entries:
        samples = []
        for _ in entry.case.samples:
            if raw[at]:
                raise RuntimeError(f"{entry.case.label}: invoke returned {raw[at]}")
            at += 1
            outputs = []
            for tensor in entry.compiled.program.output_tensors:
                values = np.frombuffer(raw[at : at + tensor.nbytes], tensor.dtype.numpy)
                outputs.append(values.reshape(tensor.shape))
                at += tensor.nbytes
            samples.append(outputs)
        found.append(samples)
    return found


def _result_bytes(entries: Sequence[Entry]) -> int:
    return sum(len(entry.case.samples) * _sample_bytes(entry) for entry in entries)


def _sample_bytes(entry: Entry) -> int:
    return 1 + sum(tensor.nbytes for tensor in entry.compiled.program.output_tensors)


# --- building


def _build(entries: Sequence[Entry], build: Build, directory: Path) -> Path:
    sources = [source for entry in entries for source in entry.compiled.sources.compile]
    weights = [source for source in sources if source.endswith("_weights.c")]
    for entry in entries:
        write(entry.compiled, directory)
    (directory / "weights.c").write_text("".join(f'#include "{path}"\n' for path in weights))
    (directory / "main.c").write_text("\n".join(_main(entries)) + "\n")
    (directory / "inputs.bin").write_bytes(b"".join(_input_bytes(entries)))
    (directory / "inputs.S").write_text(
        '.section .inputs,"a"\n.globl inputs\ninputs:\n.incbin "inputs.bin"\n'
        '#ifndef __APPLE__\n.section .note.GNU-stack,""\n#endif\n'
    )
    mode = {"host": "-DON_HOST", "cortex-m55": "-DSEMIHOSTING"}.get(build.core, "-DIN_UNICORN")
    options = [*build.flags, mode, "-I.", f"-I{_SUPPORT}", "-w"]
    models = [source for source in dict.fromkeys(sources) if source not in weights]
    written = [source for source in models if source.endswith(".c")]
    command = [*build.compiler, *options, "-c"]
    _compile(command, [*written, "weights.c", "main.c", "inputs.S"], directory)
    for source in models:
        if source not in written:  # of several directories, with names that occur twice
            _tool([*command, source, "-o", source.replace("/", "_") + ".o"], directory)
    if build.core != "host":
        _compile([*command, *build.runtime], list(map(str, SHIM_SOURCES)), directory)
    objects = sorted(str(path) for path in directory.glob("*.o"))
    if build.core == "host":
        command = ["gcc", *objects, "-lm", "-o", "image"]
    else:
        script = ["-nostdlib", "-T", str(_SUPPORT / "image.ld"), "-Wl,--gc-sections", "-Wl,--entry=start"]
        command = [*build.compiler, *script, *objects, *build.link, "-o", "image"]
    _tool(command, directory)
    return directory / "image"


def _compile(command: list[str], files: Sequence[str], directory: Path) -> None:
    """zig takes one file at a time with -c."""
    if Path(command[0]).name == "zig":
        for file in files:
            _tool([*command, file, "-o", f"{Path(file).stem}.o"], directory)
    else:
        _tool([*command, *files], directory)


def _tool(command: list[str], directory: Path) -> None:
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:600]}\n{done.stderr[:4000]}")


def _main(entries: Sequence[Entry]) -> Iterator[str]:
    yield from (f'#include "{entry.compiled.name}.h"' for entry in entries)
    yield f"#define RESULT_BYTES {_result_bytes(entries)}"
    yield '#include "sweep_main.h"'
    for entry in entries:
        name = entry.compiled.name
        yield f"static void run_{name}(void) {{"
        yield f"  ts_{name}_init();"
        yield f"  for (int sample = 0; sample < {len(entry.case.samples)}; sample++) {{"
        for index, tensor in enumerate(entry.compiled.program.input_tensors):
            yield f"    take(ts_{name}_input({index}), {tensor.nbytes});"
        yield f"    put_status(ts_{name}_invoke());"
        for index, tensor in enumerate(entry.compiled.program.output_tensors):
            yield f"    put(ts_{name}_output({index}), {tensor.nbytes});"
        yield "  }"
        yield "}"
    yield "void run_all(void) {"
    yield from (f"  run_{entry.compiled.name}();" for entry in entries)
    yield "  report();"
    yield "}"


def _input_bytes(entries: Sequence[Entry]) -> Iterator[bytes]:
    for entry in entries:
        for sample in entry.case.samples:
            yield from (np.ascontiguousarray(value).tobytes() for value in sample)


# --- running


def _execute(command: list[str]) -> bytes:
    done = subprocess.run(
        command, capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise RuntimeError(f"status {done.returncode}: {done.stdout[-200:]!r} {done.stderr[-400:]!r}")
    return done.stdout


def _in_unicorn(elf: Path, core: str, count: int) -> bytes:
    """Mapped is what the image has, with the rights that it needs; anything else faults."""
    cpu = CPUS[core]
    uc = unicorn.Uc(*cpu.architecture.unicorn)
    if cpu.model is not None:
        uc.ctl_set_cpu_model(cpu.model)
    read, write_, execute = unicorn.UC_PROT_READ, unicorn.UC_PROT_WRITE, unicorn.UC_PROT_EXEC
    with elf.open("rb") as file:
        image = ELFFile(file)
        table = image.get_section_by_name(".symtab")
        symbols = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols() if symbol.name}
        uc.mem_map(_TEXT, symbols["__text_end"] - _TEXT, read | execute)
        uc.mem_map(_CONSTANTS, max(4096, symbols["__rodata_end"] - _CONSTANTS), read)
        uc.mem_map(_DATA, max(4096, symbols["__data_end"] - _DATA), read | write_)
        uc.mem_map(_STACK, _STACK_BYTES, read | write_)
        for section in image.iter_sections():
            kept = section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_type"] != "SHT_NOBITS"
            if kept and section["sh_size"]:
                uc.mem_write(section["sh_addr"], section.data())
    uc.reg_write(cpu.architecture.stack, _STACK + _STACK_BYTES)
    end = symbols["finished"] & ~1
    uc.emu_start(symbols["start"] | cpu.architecture.code_bit, end, timeout=_TIMEOUT_S * 1_000_000)
    if uc.reg_read(cpu.architecture.counter) & ~1 != end:
        raise RuntimeError("the image did not finish in time")
    return bytes(uc.mem_read(symbols["results"], count))
