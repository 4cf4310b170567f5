# SPDX-License-Identifier: Apache-2.0
"""Assembly kernels in builds of others: bare assemblers, debuggers, two versions in one firmware."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import capstone
import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from tinyserve.compiler.emit import kernel_files
from tinyserve.compiler.emit.kernel_files import KERNEL_DIRECTORY, collect, unversioned

KERNELS = Path(kernel_files._ROOT)
ZIG = (sys.executable, "-m", "ziglang")
SOURCES = sorted(
    path.relative_to(KERNELS).as_posix()
    for path in KERNELS.rglob("*.S")
    if not path.name.endswith("function.S")
)
THUMB = [path for path in SOURCES if not path.startswith("rv32m/")]
CORES = {
    "thumb1": ("thumb-freestanding-eabi", "cortex_m0"),
    "dsp": ("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
    "fpu": ("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
    "mve": ("thumb-freestanding-eabihf", "cortex_m55"),
    "rv32m": ("riscv32-freestanding-none", "generic_rv32+m+c"),
}


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What a tool prints; an error with its message where it fails."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", THUMB)
@pytest.mark.skipif(not shutil.which("arm-none-eabi-as"), reason="needs arm-none-eabi-as")
def test_an_assembler_needs_no_option(path: str, tmp_path: Path) -> None:
    """Adafruit's and other vendors' recipes for .S files name no processor."""
    text = run("arm-none-eabi-cpp", "-P", KERNELS / path)
    source, made = tmp_path / "bare.s", tmp_path / "bare.o"
    source.write_text(text)
    run("arm-none-eabi-as", source, "-o", made)
    with made.open("rb") as file:
        sizes = [s["sh_size"] for s in ELFFile(file).iter_sections() if s.name.startswith(".text.ts_")]
    assert sizes and all(sizes)


@pytest.mark.parametrize("path", THUMB)
@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="needs arm-none-eabi-gcc")
def test_the_feather_m4_s_recipe_takes_the_sources(path: str, tmp_path: Path) -> None:
    """recipe.S.o.pattern of Adafruit's ArduinoCore-samd 1.7: no processor, no Thumb."""
    recipe = (
        "arm-none-eabi-gcc -c -g -x assembler-with-cpp -MMD -DF_CPU=120000000L -DARDUINO=10819"
        " -DARDUINO_FEATHER_M4 -DARDUINO_ARCH_SAMD -DARDUINO_SAMD_ADAFRUIT -D__SAMD51J19A__"
    )
    run(*recipe.split(), KERNELS / path, "-o", tmp_path / "kernel.o")


def frames(elf: Path) -> list[tuple[str, int, bytes, FDE]]:
    """Name, address, code and unwinding table of every function."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        functions = {
            symbol["st_value"] & ~1 if image["e_machine"] == "EM_ARM" else symbol["st_value"]: symbol
            for symbol in image.get_section_by_name(".symtab").iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC"
        }
        code = [(s["sh_addr"], s.data()) for s in image.iter_sections() if s["sh_flags"] & 4]
        entries = image.get_dwarf_info(relocate_dwarf_sections=False).CFI_entries()
        tables = {entry["initial_location"]: entry for entry in entries if isinstance(entry, FDE)}
        found = []
        for address, symbol in functions.items():
            start, data = next(part for part in code if part[0] <= address < part[0] + len(part[1]))
            body = data[address - start : address - start + symbol["st_size"]]
            found.append((symbol.name, address, body, tables[address]))
            for entry in tables.values():
                entry.get_decoded()
        return found


def at(table: FDE, address: int) -> dict[object, object]:
    """The row of an unwinding table that holds at an address."""
    rows = [row for row in table.get_decoded().table if row["pc"] <= address]
    return dict(rows[-1])


def register_bytes(names: list[str]) -> int:
    return sum(8 if name.startswith("d") else 4 for name in names)


def thumb_stack(instruction: capstone.CsInsn) -> tuple[int, list[str]]:
    """By how many bytes an instruction moves the stack pointer down, and the registers that it puts there."""
    words = instruction.op_str.replace("{", "").replace("}", "").replace(",", " ").split()
    mnemonic = instruction.mnemonic.removesuffix(".w")
    if mnemonic == "ldr" and instruction.op_str.endswith("[sp], #4"):
        return -4, []
    if mnemonic in ("push", "vpush"):
        return register_bytes(words), words
    if mnemonic in ("pop", "vpop"):
        return -register_bytes(words), []
    if words[:1] == ["sp"] and mnemonic in ("sub", "add", "subw", "addw") and words[-1].startswith("#"):
        amount = int(words[-1][1:], 0)
        return (amount if mnemonic.startswith("sub") else -amount), []
    return 0, []


def disassembled(engine: capstone.Cs, code: bytes, address: int) -> Iterator[capstone.CsInsn]:
    """Instructions that capstone knows. It knows none of Helium, which are all 4 bytes and move no stack."""
    offset = 0
    while offset < len(code):
        for instruction in engine.disasm(code[offset:], address + offset):
            yield instruction
            offset += instruction.size
        if offset < len(code):
            assert code[offset + 1] >> 3 in (0b11101, 0b11110, 0b11111), f"{address + offset:#x}"
            offset += 4


@pytest.mark.parametrize("path", SOURCES)
def test_a_debugger_finds_the_caller_at_every_instruction(path: str, tmp_path: Path) -> None:
    """The frame's size and where the return address lies, against what the instructions do."""
    target, cpu = CORES[path.partition("/")[0]]
    made, linked = tmp_path / "kernel.o", tmp_path / "kernel.elf"
    run(*ZIG, "cc", "-target", target, f"-mcpu={cpu}", "-c", KERNELS / path, "-o", made)
    run(*ZIG, "ld.lld", "-e", "0", made, "-o", linked)
    thumb = target.startswith("thumb")
    if thumb:
        engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    else:
        engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)
    checked = 0
    for name, address, code, table in frames(linked):
        depth, saved_at = 0, None
        for instruction in disassembled(engine, code, address):
            row = at(table, instruction.address)
            if thumb:
                assert row["cfa"].offset == depth, f"{name}+{instruction.address - address:#x}"
                if saved_at is not None:
                    assert row[14].arg == -saved_at, name
                moved, pushed = thumb_stack(instruction)
                depth += moved
                if "lr" in pushed and saved_at is None:
                    saved_at = depth - 4 * pushed.index("lr")
            checked += 1
        if thumb:
            assert depth == 0 and saved_at is not None, name
        else:
            middle = at(table, address + len(code) // 2)
            assert middle["cfa"].offset in (64, 96), name
    assert checked > 20


def test_unwinding_takes_no_flash(tmp_path: Path) -> None:
    made = tmp_path / "kernel.o"
    target, cpu = CORES["dsp"]
    run(*ZIG, "cc", "-target", target, f"-mcpu={cpu}", "-c", KERNELS / "dsp/add.S", "-o", made)
    with made.open("rb") as file:
        names = [s.name for s in ELFFile(file).iter_sections()]
    assert ".debug_frame" in names
    assert ".eh_frame" not in names


def copy_of_kernels(directory: Path, text: dict[str, str]) -> Path:
    """A directory with the kernels as another version of tinyserve may have them."""
    shutil.copytree(KERNELS, directory)
    for name, appended in text.items():
        path = directory / name
        path.write_text(path.read_text() + appended)
    return directory


def functions(files: dict[str, str], directory: Path, path: str) -> set[str]:
    """The functions of an emitted assembly file, as the linker sees them."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    target, cpu = CORES["dsp"]
    made = directory / "kernel.o"
    run(*ZIG, "cc", "-target", target, f"-mcpu={cpu}", "-c", directory / KERNEL_DIRECTORY / path, "-o", made)
    with made.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab").iter_symbols()
        return {symbol.name for symbol in symbols if symbol["st_info"]["type"] == "STT_FUNC"}


def test_two_versions_of_a_kernel_share_no_symbol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weak functions of one name are one function: the older model would run the newer one's code."""
    ours = functions(collect(["dsp/add.S", "dsp/add.h"]), tmp_path / "ours", "dsp/add.S")
    again = functions(collect(["dsp/add.S", "dsp/matmul.S"]), tmp_path / "again", "dsp/add.S")
    assert ours == again, "equal code is shared, whatever else a model uses"
    changed = {"dsp/add.S": "        nop\n"}
    monkeypatch.setattr(kernel_files, "_ROOT", copy_of_kernels(tmp_path / "changed", changed))
    theirs = functions(collect(["dsp/add.S", "dsp/add.h"]), tmp_path / "theirs", "dsp/add.S")
    assert not ours & theirs
    included = {"common/thumb_function.S": "        .macro NOTHING\n        .endm\n"}
    monkeypatch.setattr(kernel_files, "_ROOT", copy_of_kernels(tmp_path / "included", included))
    others = functions(collect(["dsp/add.S", "dsp/add.h"]), tmp_path / "others", "dsp/add.S")
    assert not ours & others
    plain = {"ts_dsp_add_s8", "ts_dsp_add_relu_s8"}
    assert {unversioned(name) for name in ours | theirs | others} == plain


def test_callers_and_functions_have_the_same_name() -> None:
    files = collect(["dsp/add.S", "dsp/add.h"])
    both = [files[f"{KERNEL_DIRECTORY}/dsp/{name}"] for name in ("add.S", "add.h")]
    (line,) = [line for line in both[0].splitlines() if line.startswith("#define ts_dsp_add_s8 ")]
    assert all(line in text for text in both)


def test_a_header_is_the_same_for_models_that_take_some_of_its_assembly_or_none() -> None:
    """Models that are written into one directory share their kernels."""
    header, assembly = "thumb1/requantize.h", "thumb1/store.S"
    assert collect([header])[f"kernels/{header}"] == collect([header, assembly])[f"kernels/{header}"]
