# SPDX-License-Identifier: Apache-2.0
"""Features and pipelines over many windows, on this computer, in WebAssembly, on emulated cores: one hash.

    python -m tests.features.soak --windows 1000000 --emulated 2000
    python -m tests.features.soak --random 30 --windows 1000 --emulated 50

Each specification of the tests and five pipelines (or random ones of both) get made-up samples from the same
generator, written in C, and hash all bytes of all outputs. This computer (portable and for its own processor)
and WebAssembly do ``--windows`` windows each, the emulated cores ``--emulated``. A window is a frame of
features where there are frames, else an inference.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import unicorn
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tests.features import generated as specs
from tests.features.specs import ALL, spec
from tests.pipeline import generated as pipelines
from tests.pipeline import streams
from tests.support.core import CPUS, SHIM_SOURCES
from tests.support.traces import FEATURES
from tinyserve.compiler.compile import compile_model, write
from tinyserve.compiler.host.build import find_compiler
from tinyserve.compiler.host.model import FAST
from tinyserve.compiler.program import PORTABLE, Target
from tinyserve.features.model import written
from tinyserve.pipeline.compose import compose
from tinyserve.pipeline.spec import parse

SOURCE = Path(__file__).with_name("soak.c")
SUPPORT = Path(__file__).parents[1] / "support"
WASM = Target(frozenset({"wasm"}))
_EMBEDDED = [
    "-std=c11", "-ffreestanding", "-O2", "-fomit-frame-pointer", "-fno-unwind-tables", "-ffunction-sections",
    "-fdata-sections", "-fno-asynchronous-unwind-tables", "-nostdlib", "-rtlib=compiler-rt",
    "-Wl,--gc-sections", f"-I{SUPPORT}", f"-T{SUPPORT / 'image.ld'}",
]  # fmt: skip
_MEMORY = (
    (0x1000, 0x80000),
    (0x01000000, 0x200000),
    (0x20000000, 0x10000),
    (0x21000000, 0x400000),
    (0x08000000, 0x1000),
)
_STACK_TOP, _EXIT = 0x20010000, 0x08000000
_M55 = ("thumb-freestanding-eabihf", "cortex_m55+mve_fp")
_ROUTER = """
nodes = [{name = "small", model = "m0.tflite"},
         {name = "large", model = "m1.tflite", when = "margin(small) < 0.5"}]
outputs = {scores = ["large", "small"]}
"""
_VOTE = """
nodes = [{name = "a", model = "m0.tflite"}, {name = "b", model = "m1.tflite", when = "max(a) < 0.8"},
         {name = "c", model = "m2.tflite"}, {name = "all", kind = "vote", input = ["a", "b", "c"]},
         {name = "heard", kind = "decision", input = "all", enter = 0.6, hold = 2}]
"""
_STACK = """
nodes = [{name = "a", model = "m0.tflite"}, {name = "b", model = "m1.tflite"},
         {name = "c", model = "m2.tflite"}, {name = "d", model = "m0.tflite"},
         {name = "top", model = "m1.tflite", input = ["a", "b", "c", "d"]}]
"""
_AVERAGE = """
nodes = [{name = "a", model = "m0.tflite"}, {name = "b", model = "m1.tflite", when = "a[1] > 0.2"},
         {name = "mean", kind = "average", input = ["a", "b"], weights = [1, 3]},
         {name = "far", model = "m2.tflite", where = "gateway", when = "max(mean) < 0.6"}]
"""
PIPELINES = {
    "cascade": streams.CASCADE,
    "router": _ROUTER,
    "vote": _VOTE,
    "stack": _STACK,
    "average": _AVERAGE,
}


@dataclass(frozen=True)
class Subject:
    """A model. ``windows``: of one inference. ``hostile``: floats among its samples are missing, infinite, at
    the ends of their range; which bits a NaN has is then each processor's own."""

    name: str
    data: bytes
    windows: int
    hostile: bool = False


def subjects(directory: Path) -> Iterator[Subject]:
    """All specifications, and the pipelines."""
    for name, text in ALL.items():
        data, features = written(spec(text))
        frames = [stage.value.shape[0] for stage in features.stages if stage.kind == "window"]
        yield Subject(name, data, max(frames, default=1))
    streams.write_models(directory)
    pipelines.write_models(directory)
    for name, text in PIPELINES.items():
        yield Subject(name, compose(parse(text.encode(), name), directory).data, 1)


def random_subjects(directory: Path, first: int, count: int) -> Iterator[Subject]:
    """Random specifications and pipelines, ``count`` of each."""
    pipelines.write_models(directory)
    for seed in range(first, first + count):
        yield Subject(f"spec{seed}", specs.model_of(specs.generated(seed)), 1, hostile=True)
        made = compose(pipelines.generated(seed, directory), directory)
        yield Subject(f"pipe{seed}", made.data, 1, hostile=True)


class Bench:
    """Builds a subject for a place, and runs it there."""

    def __init__(self, subject: Subject, target: Target, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        compiled = compile_model(subject.data, target, "own")
        write(compiled, directory)
        real = compiled.program.input_tensors[0].dtype.value == "float32"
        self.defines = (["-DREAL"] if real else []) + (["-DHOSTILE"] if subject.hostile else [])
        self.sources = [SOURCE, *(directory / name for name in compiled.sources.compile)]

    def on_host(self, inferences: int, fast: bool) -> int:
        library = self.directory / "own.so"
        flags = ["-std=c11", "-O3", "-march=native"] if fast else ["-std=c11", "-O2"]
        flags += ["-ffp-contract=off", "-shared", "-fPIC"]
        self._run([*find_compiler(), *flags, *self._inputs(), "-o", str(library)])
        soak = ctypes.CDLL(str(library)).soak
        soak.restype = ctypes.c_uint32
        return int(soak(inferences))

    def in_wasm(self, inferences: int) -> int:
        import wasmtime

        module = self.directory / "own.wasm"
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"]
        shim = [str(path) for path in SHIM_SOURCES if path.name == "memory.c"]
        flags = ["-mcpu=generic+simd128", "-std=c11", "-O2", "-ffp-contract=off", "-nostdlib"]
        flags += ["-Wl,--no-entry", "-Wl,--export=soak"]
        self._run([*zig, *flags, *self._inputs(), *shim, "-o", str(module)])
        store = wasmtime.Store()
        loaded = wasmtime.Module.from_file(store.engine, str(module))
        found = wasmtime.Instance(store, loaded, []).exports(store)["soak"](store, inferences)
        return int(found) & 0xFFFFFFFF

    def in_unicorn(self, cpu: str, inferences: int) -> int:
        elf = self._image(*CPUS[cpu].zig, ["-Wl,--entry=soak"])
        names, model = CPUS[cpu].architecture, CPUS[cpu].model
        uc = unicorn.Uc(*names.unicorn)
        if model is not None:
            uc.ctl_set_cpu_model(model)
        for start, size in _MEMORY:
            uc.mem_map(start, size)
        with elf.open("rb") as file:
            image = ELFFile(file)
            for section in image.iter_sections():
                if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_type"] != "SHT_NOBITS":
                    uc.mem_write(section["sh_addr"], section.data())
            table = image.get_section_by_name(".symtab")
            entry = next(one["st_value"] for one in table.iter_symbols() if one.name == "soak")
        uc.reg_write(names.arguments[0], inferences)
        uc.reg_write(names.stack, _STACK_TOP)
        uc.reg_write(names.link, _EXIT | names.code_bit)
        uc.emu_start(entry | names.code_bit, _EXIT)
        return int(uc.reg_read(names.arguments[0])) & 0xFFFFFFFF

    def in_qemu(self, inferences: int) -> int:
        more = ["-DSEMIHOSTING", f"-DINFERENCES={inferences}u", "-Wl,--entry=start"]
        elf = self._image(*_M55, more)
        command = ["qemu-system-arm", "-M", "mps3-an547", "-nographic", "-semihosting", "-kernel", str(elf)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=3600, check=False, stdin=subprocess.DEVNULL
        )
        return int((done.stdout + done.stderr).split()[0], 16)

    def _image(self, target: str, cpu: str, more: list[str]) -> Path:
        """Linked for an emulated core."""
        elf = self.directory / "own.elf"
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", target, f"-mcpu={cpu}", *more, *_EMBEDDED]
        self._run([*zig, *self._inputs(), *map(str, SHIM_SOURCES), "-o", str(elf)])
        return elf

    def _inputs(self) -> list[str]:
        return [*self.defines, f"-I{self.directory}", *map(str, self.sources)]

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[:4000])


def compared(subject: Subject, windows: int, emulated: int, directory: Path) -> list[str]:
    """What differs; a line per place on the way."""
    many, few = (max(1, -(-count // subject.windows)) for count in (windows, emulated))
    portable = Bench(subject, PORTABLE, directory / "portable")
    wanted = {many: portable.on_host(many, False), few: portable.on_host(few, False)}
    places = {
        "this processor": (many, lambda: Bench(subject, FAST, directory / "fast").on_host(many, True)),
        "WebAssembly": (many, lambda: Bench(subject, WASM, directory / "wasm").in_wasm(many)),
        "cortex-m55": (
            few, lambda: Bench(subject, Target(FEATURES["cortex-m55"]), directory / "m55").in_qemu(few)
        ),
    }  # fmt: skip
    for cpu in FEATURES:
        if cpu in CPUS:
            bench = Bench(subject, Target(FEATURES[cpu]), directory / cpu)
            places[cpu] = (few, lambda cpu=cpu, bench=bench: bench.in_unicorn(cpu, few))  # type: ignore[misc]
    wrong = []
    for place, (count, run) in places.items():
        started = time.monotonic()
        found = run()
        same = found == wanted[count] != 0
        took = time.monotonic() - started
        said = "same" if same else f"DIFFERS from {wanted[count]:08x}"
        done = f"{count * subject.windows:>10,} windows in {took:6.1f} s"
        print(f"{subject.name:8} {place:14} {done}: {found:08x} {said}", flush=True)
        wrong += [] if same else [f"{subject.name} on {place}"]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=1_000_000)
    parser.add_argument("--emulated", type=int, default=2_000)
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N random ones of each instead")
    parser.add_argument("--first", type=int, default=0, help="the first random one's seed")
    parser.add_argument("--only", default="", metavar="NAME", help="this one alone")
    given = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        chosen = (
            random_subjects(Path(name), given.first, given.random) if given.random else subjects(Path(name))
        )
        for subject in chosen:
            if given.only not in ("", subject.name):
                continue
            place = Path(name) / f"{subject.name}-built"
            place.mkdir()
            wrong += compared(subject, given.windows, given.emulated, place)
    sys.exit("differ: " + ", ".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
