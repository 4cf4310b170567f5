# SPDX-License-Identifier: Apache-2.0
"""Instructions of single layers and small blocks, per core and compiler, beside another engine's.

    python benchmarks/layers.py --models DIR [--peer FILE.csv] [--core CORE] [--compiler zig|gcc]
                                [--only PATTERN] [--json FILE] [--jobs N] [--update]

Every .tflite file of the directory (or of TINYSERVE_SWEEP) is built as `tinyserve bench` builds it and runs
once, after a warm-up, on the emulated core with the input bytes x[i] = (31 i + 7) mod 256 (float32 inputs:
those as int8, by 32). Counts are exact. Output bytes are compared with those of TFLM's reference kernels;
float32 may differ by rounding. A peer's file (or TINYSERVE_SWEEP_PEER) has the columns name, family, core
(M4, M55, M0) and tflm_cmsis_insns. A firmware that was measured before is not built again: what was measured
lies in build/layers-measured.json.

layers_baseline/ has the counts that --update wrote. Exit status: 3 where a layer takes over 2 % more than
there, 1 where outputs differ or a layer cannot be built or run, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import math
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from csv import DictReader
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from tinyserve import boards, workflow
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.graph.types import DType, Tensor
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import TinyserveError, ToolError
from tinyserve.firmware.build import build
from tinyserve.firmware.render import Project, render
from tinyserve.firmware.toolchain import Name, toolchain_for

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "layers_baseline"
MEASURED = Path("build/layers-measured.json")
CORES = ("cortex-m4", "cortex-m55", "cortex-m0", "rv32imc")
COMPILERS: tuple[Name, ...] = ("zig", "gcc")
TOLERANCE = 0.02
_PEER_CORE = {"M4": "cortex-m4", "M55": "cortex-m55", "M0": "cortex-m0"}
_EMULATOR = {"cortex-m55": "qemu"}  # Unicorn has no Helium
_WORST = 20
_FLOAT_TOLERANCE = 1e-4  # float32 sums in another order


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One inference of one layer. ``failure``: why there is no count, or how outputs differ from TFLM's."""

    layer: str
    core: str
    compiler: str
    macs: int = 0
    kernels: str = ""
    instructions: int = 0
    failure: str = ""

    @property
    def column(self) -> Column:
        return Column(self.core, self.compiler)


@dataclass(frozen=True, order=True)
class Column:
    """What a column of the table and a file of the baseline stand for."""

    core: str
    compiler: str

    @property
    def file(self) -> Path:
        return BASELINE / f"{self.core}-{self.compiler}.json"

    def __str__(self) -> str:
        return f"{self.core.removeprefix('cortex-')} {self.compiler}"


@dataclass(frozen=True)
class Peer:
    """Another engine's instructions by layer and core, and the layers' families."""

    instructions: Mapping[tuple[str, str], int]
    families: Mapping[str, str]

    def ratio(self, one: Measurement) -> float | None:
        """Our instructions over theirs."""
        theirs = self.instructions.get((one.layer, one.core))
        return one.instructions / theirs if theirs and one.instructions else None

    def family(self, layer: str) -> str:
        """The family, divided further where kernels differ: filters of a depthwise layer, groups."""
        family = self.families.get(layer) or layer.split("_", maxsplit=1)[0]
        if family == "depthwise":
            return f"depthwise {_depthwise_kind(layer)}"
        return f"{family} grouped" if "_g" in layer.removeprefix(family) and family == "conv2d" else family


def _depthwise_kind(layer: str) -> str:
    parts = layer.split("_")
    size = next((part[1:] for part in parts if part.startswith("k") and "x" in part), "")
    multiplier = next((part[1:] for part in parts if part.startswith("m") and part[1:].isdigit()), "1")
    if multiplier != "1":
        return "multiplier > 1"
    height, _, width = size.partition("x")
    if "1" in (height, width):
        return "1 x k" if height == "1" else "k x 1"
    return "3 x 3" if size == "3x3" else "larger"


def read_peer(path: Path | None) -> Peer:
    """A peer's counts; none without a file."""
    if path is None:
        return Peer({}, {})
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(DictReader(file))
    counts = {
        (row["name"], _PEER_CORE.get(row["core"], row["core"])): int(row["tflm_cmsis_insns"])
        for row in rows
        if row["tflm_cmsis_insns"]
    }
    return Peer(counts, {row["name"]: row["family"] for row in rows})


def pattern(tensor: Tensor) -> npt.NDArray[np.generic]:
    """The input of a tensor."""
    if tensor.dtype is DType.FLOAT32:
        values = (np.arange(tensor.elements, dtype=np.int64) * 31 + 7).astype(np.int8)
        return np.asarray(values.astype(np.float32) / 32).reshape(tensor.shape)
    data = (np.arange(tensor.nbytes, dtype=np.int64) * 31 + 7).astype(np.uint8)
    return np.asarray(data.view(tensor.dtype.numpy)).reshape(tensor.shape)


def reference(data: bytes, inputs: Sequence[npt.NDArray[np.generic]], outputs: int) -> list[bytes]:
    """TFLM's outputs of the second inference. RuntimeError where it refuses the model."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(data, arena_size=(1 << 20) + 40 * len(data))
    for _ in range(2):
        for index, value in enumerate(inputs):
            interpreter.set_input(value, index)
        interpreter.invoke()
    return [np.asarray(interpreter.get_output(index)).tobytes() for index in range(outputs)]


def measure(path: Path, column: Column, cache: Mapping[str, Measurement]) -> tuple[str, Measurement]:
    """A layer on a core, and the key under which the result may be kept."""
    board = boards.load(column.core)
    data = path.read_bytes()
    key = ""
    known = partial(Measurement, layer=path.stem, core=column.core, compiler=column.compiler)
    try:
        compiled = compile_model(data, workflow.target(board, "balanced"), "model")
        known = partial(known, macs=sum(call.macs for call in compiled.program.calls))
        known = partial(known, kernels=" ".join(dict.fromkeys(c.variant for c in compiled.program.calls)))
        with tempfile.TemporaryDirectory() as directory:
            project = render(compiled, board, Path(directory), emulate=True)
            compiler: Name = "gcc" if column.compiler == "gcc" else "zig"
            key = _digest(project, toolchain_for(board.core, compiler).identity)
            if key in cache:
                return key, cache[key]
            firmware = build(project, compiler)
            with open_device(firmware, board, _EMULATOR.get(column.core, "unicorn")) as device:
                instructions, outputs = _infer(Client(device.link), compiled)
        return key, known(instructions=instructions, failure=_difference(compiled, outputs))
    except (TinyserveError, RuntimeError) as error:
        return key, known(failure=str(error).splitlines()[0])


def _infer(client: Client, compiled: Compiled) -> tuple[int, list[bytes]]:
    for index, tensor in enumerate(compiled.program.input_tensors):
        client.load(pattern(tensor).tobytes(), index)
    (instructions,) = client.infer(1, 1)
    return instructions, list(client.outputs())


def _digest(project: Project, identity: str) -> str:
    """Of all that a firmware is made of."""
    total = hashlib.sha256(identity.encode())
    for file in sorted(project.directory.rglob("*")):
        if file.is_file():
            total.update(f"{file.relative_to(project.directory)}\0".encode() + file.read_bytes() + b"\0")
    return total.hexdigest()[:24]


def _difference(compiled: Compiled, outputs: Sequence[bytes]) -> str:
    """In words, how the outputs differ from TFLM's; nothing where they are equal."""
    tensors = compiled.program.output_tensors
    inputs = [pattern(tensor) for tensor in compiled.program.input_tensors]
    for tensor, got, want in zip(
        tensors, outputs, reference(compiled.data, inputs, len(tensors)), strict=True
    ):
        if tensor.dtype is DType.FLOAT32:
            pair = [np.frombuffer(values, np.float32) for values in (got, want)]
            if not np.allclose(*pair, rtol=_FLOAT_TOLERANCE, atol=_FLOAT_TOLERANCE):
                return f"{tensor.name}: not TFLM's values"
        elif got != want:
            wrong = np.count_nonzero(np.frombuffer(got, np.uint8) != np.frombuffer(want, np.uint8))
            crcs = f"CRC-32 {zlib.crc32(got):08x}, TFLM's {zlib.crc32(want):08x}"
            return f"{tensor.name}: {wrong} of {len(want)} bytes are not TFLM's ({crcs})"
    return ""


def regressions(now: Iterable[Measurement], baseline: Mapping[Column, Mapping[str, int]]) -> list[str]:
    """Layers that take over 2 % more instructions than the baseline says, in words."""
    found = []
    for new in now:
        old = baseline.get(new.column, {}).get(new.layer)
        if old and new.instructions > old * (1 + TOLERANCE):
            change = f"{old:,} -> {new.instructions:,} instructions ({new.instructions / old - 1:+.1%})"
            found.append(f"{new.layer} on {new.column}: {change}")
    return found


def load_baseline(columns: Iterable[Column]) -> dict[Column, dict[str, int]]:
    """The counts by layer of each column that has a file."""
    return {
        column: msgspec.json.decode(column.file.read_bytes(), type=dict[str, int])
        for column in columns
        if column.file.exists()
    }


def save_baseline(now: Iterable[Measurement], baseline: Mapping[Column, Mapping[str, int]]) -> None:
    """Writes the baseline with what was measured; other layers stay."""
    merged = {column: dict(layers) for column, layers in baseline.items()}
    for one in now:
        if one.instructions and not one.failure:
            merged.setdefault(one.column, {})[one.layer] = one.instructions
    BASELINE.mkdir(exist_ok=True)
    for column, layers in merged.items():
        text = msgspec.json.format(msgspec.json.encode(dict(sorted(layers.items()))), indent=1)
        column.file.write_bytes(text + b"\n")


def geometric_mean(ratios: Sequence[float]) -> float:
    """1 of nothing."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else 1.0


def layer_table(measured: Sequence[Measurement], peer: Peer) -> Table:
    """A row per layer: instructions in each column, and over the peer's where there is one."""
    columns = list(dict.fromkeys(one.column for one in measured))
    table = Table(title="instructions per inference (over the peer's)", title_justify="left", box=None)
    table.add_column("layer")
    for column in columns:
        table.add_column(str(column), justify="right")
    for layer in dict.fromkeys(one.layer for one in measured):
        cells = {one.column: one for one in measured if one.layer == layer}
        table.add_row(layer, *(_cell(cells.get(column), peer) for column in columns))
    return table


def _cell(one: Measurement | None, peer: Peer) -> str:
    if one is None or not one.instructions:
        return "-"
    ratio = peer.ratio(one)
    if ratio is None:
        return f"{one.instructions:,}"
    style = "red" if ratio > 1 else "default"
    return f"{one.instructions:,} [{style}]({ratio:.2f})[/]"


def family_table(measured: Sequence[Measurement], peer: Peer) -> Table:
    """Geometric means of the ratios by family, and how many layers are slower than the peer's."""
    columns = list(dict.fromkeys(one.column for one in measured))
    table = Table(title="over the peer's instructions, geometric means (slower layers)", box=None)
    for column in ("family", *map(str, columns)):
        table.add_column(column, justify="left" if column == "family" else "right")
    families = sorted({peer.family(one.layer) for one in measured})
    groups: list[tuple[str, Callable[[str], bool]]] = [(f, partial(_is_of, peer, f)) for f in families]
    for name, belongs in [*groups, ("all", lambda _: True)]:
        cells = []
        for column in columns:
            ours = [one for one in measured if one.column == column and belongs(one.layer)]
            ratios = [ratio for one in ours if (ratio := peer.ratio(one)) is not None]
            slower = sum(ratio > 1 for ratio in ratios)
            cells.append(f"{geometric_mean(ratios):.2f} ({slower})" if ratios else "-")
        table.add_row(name, *cells)
    return table


def _is_of(peer: Peer, family: str, layer: str) -> bool:
    return peer.family(layer) == family


def worst_table(measured: Sequence[Measurement], peer: Peer) -> Table:
    """The layers that lose most against the peer."""
    rated = [(ratio, one) for one in measured if (ratio := peer.ratio(one)) is not None]
    table = Table(title=f"the worst {_WORST}", title_justify="left", box=None)
    for name in ("layer", "on", "kernels", "over the peer's", "instructions per MAC"):
        table.add_column(name)
    for ratio, one in sorted(rated, key=lambda pair: -pair[0])[:_WORST]:
        per_mac = f"{one.instructions / one.macs:.2f}" if one.macs else ""
        table.add_row(one.layer, str(one.column), one.kernels, f"{ratio:.2f}", per_mac)
    return table


def measure_all(paths: Sequence[Path], columns: Sequence[Column], jobs: int) -> list[Measurement]:
    """All layers in all columns, those of one column together."""
    cache: dict[str, Measurement] = {}
    if MEASURED.exists():
        cache = msgspec.json.decode(MEASURED.read_bytes(), type=dict[str, Measurement])
    measured, kept = [], {}
    for column in columns:
        if not _has_compiler(column):
            continue
        with ProcessPoolExecutor(jobs) as pool:
            found = list(pool.map(partial(measure, column=column, cache=cache), paths, chunksize=8))
        measured += [one for _, one in found]
        kept |= {key: one for key, one in found if key and not one.failure}
    MEASURED.parent.mkdir(parents=True, exist_ok=True)
    MEASURED.write_bytes(msgspec.json.encode(cache | kept))
    return measured


def _has_compiler(column: Column) -> bool:
    try:
        toolchain_for(boards.load(column.core).core, "gcc" if column.compiler == "gcc" else "zig")
    except ToolError as error:
        print(f"{column} is left out: {error.message}", file=sys.stderr)
        return False
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    models, peer = os.environ.get("TINYSERVE_SWEEP"), os.environ.get("TINYSERVE_SWEEP_PEER")
    parser.add_argument("--models", type=Path, default=models and Path(models), metavar="DIR")
    parser.add_argument("--peer", type=Path, default=peer and Path(peer), metavar="FILE")
    parser.add_argument("--core", action="append", help=f"repeatable; default: {', '.join(CORES)}")
    parser.add_argument("--compiler", action="append", choices=COMPILERS, help="repeatable; default: both")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="layers so named; repeatable")
    parser.add_argument("--json", type=Path, default=Path("build/bench-layers.json"), metavar="FILE")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--update", action="store_true", help="write what was measured to layers_baseline/")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    if arguments.models is None or not arguments.models.is_dir():
        print(
            "error: no directory of models\n  try: --models DIR, or set TINYSERVE_SWEEP to it",
            file=sys.stderr,
        )
        return 2
    patterns = arguments.only or ["*"]
    paths = sorted(
        path
        for path in arguments.models.glob("*.tflite")
        if any(fnmatch.fnmatch(path.stem, one) for one in patterns)
    )
    columns = [
        Column(core, compiler)
        for core in arguments.core or CORES
        for compiler in arguments.compiler or COMPILERS
    ]
    peer = read_peer(arguments.peer)
    measured = measure_all(paths, columns, arguments.jobs)
    console = Console(width=220)
    console.print(layer_table(measured, peer), "", family_table(measured, peer), "")
    console.print(worst_table(measured, peer))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")
    return _judge(measured, columns, arguments.update)


def _judge(measured: Sequence[Measurement], columns: Sequence[Column], update: bool) -> int:
    """Says what is wrong, writes the baseline if asked, and gives the exit status."""
    errors = Console(stderr=True, width=220)
    failed = [one for one in measured if one.failure]
    for one in failed:
        errors.print(f"{one.layer} on {one.column}: {one.failure}", style="red", markup=False)
    baseline = load_baseline(columns)
    worse = regressions(measured, baseline)
    for line in worse:
        errors.print(f"worse than the baseline: {line}", style="red", markup=False)
    if update:
        save_baseline(measured, baseline)
    if failed:
        return 1
    return 3 if worse and not update else 0


if __name__ == "__main__":
    sys.exit(main())
