# SPDX-License-Identifier: Apache-2.0
"""Instructions and flash of forests as tinyserve and as emlearn compile them.

    python benchmarks/trees.py

Both get the same trained forest and the same features, quantized as tinyserve's int16x8 bundle does;
emlearn's thresholds are those of the bundle, plus one since it compares with <. Both are built with
arm-none-eabi-gcc -O2 for the same core and run on Unicorn: mean instructions of one inference over samples of
the data, called with the features in place. Flash is code and constants of an image that holds nothing else
but a caller; what the C library brings along for float arithmetic is in it. Regressors answer with a value,
classifiers with probabilities; emlearn's class alone, which takes no division, is listed too.
"""

from __future__ import annotations

import copy
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import unicorn
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from unicorn import arm_const

from tinyserve import bundle
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.ops.trees.tree_tables import Tables
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Optimize, Target
from tinyserve.convert.frameworks import forest, trees
from tinyserve.convert.tflite import facts
from tinyserve.convert.worker.messages import Quantize

with np.errstate():  # emlearn makes numpy raise for underflow, in all of the process
    import emlearn

Array = npt.NDArray[Any]
SAMPLES = 60
CORES = {
    "cortex-m0": ("-mcpu=cortex-m0", arm_const.UC_CPU_ARM_CORTEX_M0),
    "cortex-m4": ("-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard", arm_const.UC_CPU_ARM_CORTEX_M4),
}
_FLASH, _RAM, _STOP = 0, 0x20000000, 0x000FFFF0
_SIZE = 1 << 20
_SCRIPT = """
SECTIONS {
  .text 0 : { KEEP(*(.entry)) *(.text*) *(.rodata*) *(.ARM.exidx*) }
  .data 0x20000000 : { *(.data*) *(.bss*) *(COMMON) }
}
"""


@dataclass(frozen=True)
class Program:
    """C sources, and a statement that runs one inference of ``features`` (int16)."""

    name: str
    files: dict[str, str | bytes]
    compile: tuple[str, ...]
    head: str
    run: str


@dataclass(frozen=True)
class Result:
    flash_bytes: int
    instructions: float


def main() -> None:
    """Prints the table."""
    table = Table(
        "forest", "engine", *(f"{core} {what}" for core in CORES for what in ("instructions", "flash"))
    )
    for name, model, samples in _models():
        features, programs = _programs(model, samples)
        for program in programs:
            results = [measure(program, core, features) for core in CORES]
            cells = [text for r in results for text in (f"{r.instructions:,.0f}", f"{r.flash_bytes:,}")]
            table.add_row(name, program.name, *cells)
    Console(width=150).print(table)


def _models() -> list[tuple[str, Any, Array]]:
    digits, wine, diabetes = (load(return_X_y=True) for load in (load_digits, load_wine, load_diabetes))
    return [
        ("digits, 20 full trees", RandomForestClassifier(20, random_state=0).fit(*digits), digits[0]),
        ("wine, 20 of depth 4", RandomForestClassifier(20, max_depth=4, random_state=0).fit(*wine), wine[0]),
        (
            "diabetes, 20 of depth 6",
            RandomForestRegressor(20, max_depth=6, random_state=0).fit(*diabetes),
            diabetes[0],
        ),
    ]


def _programs(model: Any, samples: Array) -> tuple[Array, list[Program]]:
    """Features (N, F) as int16, and the programs that take them."""
    written = trees.write(forest.of(model, [], "m"), None, "y")
    request = Quantize(source=Path(), output=Path(), samples=Path(), scheme="int16x8")
    data = trees.quantize(written, samples.astype(np.float32), request)
    features = bundle.quantize(samples.astype(np.float32), facts.inspect(data, "m").inputs[0])
    ours = [_tinyserve(data, samples.shape[1], optimize) for optimize in ("balanced", "speed")]
    return features, [*ours, *_emlearn(model, data, samples.shape[1])]


def _tinyserve(data: bytes, width: int, optimize: Optimize) -> Program:
    sources = compile_model(data, Target(optimize=optimize), "model").sources
    run = f"int16_t *x = ts_model_input(0); for (int i = 0; i < {width}; i++) x[i] = features[i]; start(); "
    return Program(
        f"tinyserve, {optimize}",
        sources.files,
        sources.compile,
        '#include "model.h"',
        run + "ts_model_invoke();",
    )


def _emlearn(model: Any, data: bytes, width: int) -> list[Program]:
    """Of the quantized trees: their thresholds in place of scikit-learn's."""
    operator = load(data).main.nodes[0]
    shifted, thresholds = copy.deepcopy(model), Tables.of(operator).threshold.astype(np.int64) + 1
    start = 0
    for one in shifted.estimators_:
        inner = np.flatnonzero(one.tree_.children_left >= 0)
        one.tree_.threshold[inner] = thresholds[start : start + len(inner)]
        start += len(inner)
    made = []
    for method in ("inline", "loadable"):
        classifies = hasattr(model, "classes_")
        for bits in (0, 8) if classifies else (None,):
            code = emlearn.convert(shifted, method=method, dtype="int16_t", leaf_bits=bits).save(name="eml")
            leaves = {0: ", votes", 8: ", 8-bit leaves", None: ""}[bits]
            calls = {"": f"sink = eml_predict(features, {width});"}
            if classifies:
                calls = {
                    " (class)": calls[""],
                    "": "static float p[32]; "
                    f"eml_predict_proba(features, {width}, p, {len(model.classes_)});",
                }
            made += [
                Program(
                    f"emlearn {method}{leaves}{what}",
                    {"eml.h": code},
                    (),
                    '#include "eml.h"',
                    f"start(); {call}",
                )
                for what, call in calls.items()
            ]
    return made


def measure(program: Program, core: str, features: Array) -> Result:
    """Builds and runs it. Counting starts at ``start`` and ends where the caller returns."""
    flags, cpu = CORES[core]
    with tempfile.TemporaryDirectory() as name:
        elf = _build(program, flags.split(), Path(name))
        with elf.open("rb") as file:
            image = ELFFile(file)
            sections = {s.name: (s["sh_addr"], s.data()) for s in image.iter_sections() if s["sh_flags"] & 2}
            table = image.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            symbols = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
    flash = len(sections[".text"][1])
    rows = np.linspace(0, len(features) - 1, SAMPLES).astype(int)
    counts = [_run(cpu, sections, symbols, features[row]) for row in rows]
    return Result(flash, float(np.mean(counts)))


def _build(program: Program, flags: Sequence[str], directory: Path) -> Path:
    for name, text in program.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    caller = f"""
        #include <stdint.h>
        {program.head}
        int16_t features[256];
        volatile float sink;
        __attribute__((noinline)) void start(void) {{ __asm__ volatile(""); }}
        __attribute__((section(".entry"))) void entry(void) {{ {program.run} }}
    """
    (directory / "caller.c").write_text(caller)
    (directory / "link.ld").write_text(_SCRIPT)
    output = directory / "image.elf"
    command = [
        "arm-none-eabi-gcc", "-mthumb", *flags, "-O2", "-ffunction-sections", "-fdata-sections", "-w",
        "-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", f"-I{directory}",
        f"-I{Path(emlearn.__file__).parent}", "-Wl,--gc-sections,--entry=entry", "-T", "link.ld",
        "caller.c", *program.compile, "-o", str(output), "-lm",
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=directory, timeout=120)
    return output


def _run(cpu: int, sections: Any, symbols: dict[str, int], features: Array) -> int:
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    machine.ctl_set_cpu_model(cpu)
    machine.mem_map(_FLASH, _SIZE)
    machine.mem_map(_RAM, _SIZE)
    for address, content in sections.values():
        machine.mem_write(address, bytes(content))
    machine.mem_write(symbols["features"], features.astype("<i2").tobytes())
    machine.reg_write(arm_const.UC_ARM_REG_SP, _RAM + _SIZE - 64)
    machine.reg_write(arm_const.UC_ARM_REG_LR, _STOP | 1)
    count, counting = 0, False

    def step(_machine: Any, address: int, _size: int, _data: Any) -> None:
        nonlocal count, counting
        counting = counting or address == symbols["start"] & ~1
        count += counting

    machine.hook_add(unicorn.UC_HOOK_CODE, step)
    machine.emu_start(symbols["entry"] | 1, _STOP, timeout=10_000_000)
    return count


if __name__ == "__main__":
    main()
