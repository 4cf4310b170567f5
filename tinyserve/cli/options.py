# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tinyserve.cli.completion import EMULATOR, SCHEME
from tinyserve.report.forms import FORMS
from tinyserve.words import counted

if TYPE_CHECKING:
    from tinyserve.boards.types import Board
    from tinyserve.bundle import Bundle, Cost
    from tinyserve.compiler.program import Choice, Feed, Optimize, Program
    from tinyserve.convert.settings import FloatShare
    from tinyserve.convert.settings import Options as Settings
    from tinyserve.datasets.named import Reading
    from tinyserve.firmware.build import Firmware
    from tinyserve.firmware.toolchain import Name as ToolchainName
    from tinyserve.progress import Progress
    from tinyserve.workflow import Conversion

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
REPRESENTATIVE_HELP = (
    "Typical inputs for quantization: .npz, .npy, .csv, .wav, a directory of them or of images, "
    "module:function, or 'random'."
)
QUANTIZE_HELP = "int8, int16x8, float32, or auto: the cheapest that is good enough."
SOURCE_HELP = (
    "SOURCE is a trained model (.keras, .h5, SavedModel, .onnx, .pt2, .joblib), a .tflite, a bundle, or the "
    ".toml of a pipeline."
)


def chain(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator of several: --help lists their options in this order."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


@dataclass(frozen=True)
class Converting:
    """How a source becomes a bundle where that is to be done first: the options of `conversion`."""

    representative: str | None
    quantize: str
    bundle: Path | None
    operators: tuple[Path, ...]
    shapes: tuple[str, ...]
    signature: str
    custom: tuple[str, ...]
    trust: bool
    keep_layout: bool
    reading: Reading

    def settings(self, measure: Callable[[bytes], Cost] | None = None) -> Settings:
        """How the source is loaded and data are read. Raises UsageError."""
        from tinyserve.convert.settings import Options as Settings

        return Settings(
            input_shapes=tuple(shape(text) for text in self.shapes),
            signature=self.signature,
            custom=self.custom,
            trust=self.trust,
            keep_layout=self.keep_layout,
            operators=self.operators,
            measure=measure,
            reading=self.reading,
        )

    def conversion(self, engine: str = "aot", measure: Callable[[bytes], Cost] | None = None) -> Conversion:
        """For the workflow. Raises UsageError."""
        from tinyserve import workflow

        return workflow.Conversion(
            self.representative,
            self.quantize,
            self.bundle,
            options=self.settings(measure),
            engine=engine,
            operators=self.operators,
        )


def conversion(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a conversion that a command may have to do first, and of how its source is loaded and
    data are read. The command gets them as one argument: ``converting``."""
    names = [field.name for field in fields(Converting)]

    @wraps(function)
    def command(**arguments: Any) -> Any:
        chosen = Converting(**{name: arguments.pop(name) for name in names})
        return function(**arguments, converting=chosen)

    return chain(
        click.option("--representative", metavar="DATA", help=REPRESENTATIVE_HELP),
        click.option(
            "--quantize", default="int8", show_default=True, type=SCHEME, help=QUANTIZE_HELP
        ),
        click.option(
            "--bundle", type=PATH, metavar="DIR",
            help="Bundle that a conversion writes.  [default: build/NAME.bundle]",
        ),
        loading,
        keep_layout,
        reading,
        operators,
    )(command)  # fmt: skip


def keep_layout(function: F) -> F:
    """--keep-layout"""
    return click.option(
        "--keep-layout", is_flag=True,
        help="Leave the images of an ONNX or PyTorch model channels first (NCHW).",
    )(function)  # fmt: skip


def gates(function: Callable[..., Any]) -> Callable[..., Any]:
    """--min-agreement, --min-sqnr, --max-drop: the quality that is wanted, as ``wanted_quality``."""
    names = ("min_agreement", "min_sqnr", "max_drop")

    @wraps(function)
    def command(**arguments: Any) -> Any:
        from tinyserve.quality.gates import Gates

        chosen = Gates(**{name: arguments.pop(name) for name in names})
        return function(**arguments, wanted_quality=chosen)

    share = click.FloatRange(0, 1)
    return chain(
        click.option(
            "--min-agreement", type=share, metavar="SHARE",
            help="Exit status 3 below this share of equal classes with the float model (0.98).",
        ),
        click.option(
            "--min-sqnr", type=float, metavar="DB",
            help="Exit status 3 below this signal to quantization noise ratio of an output.",
        ),
        click.option(
            "--max-drop", type=share, metavar="SHARE",
            help="Exit status 3 where the task's metric loses more against the float model (0.02: 2 points).",
        ),
    )(command)  # fmt: skip


def task(function: Callable[..., Any]) -> Callable[..., Any]:
    """--task, --top, --output: what a data set's labels are of, as arguments ``wanted`` and ``output``."""

    @wraps(function)
    def command(*, task: str | None, top: int | None, **arguments: Any) -> Any:
        from tinyserve.quality.tasks import Wanted

        return function(**arguments, wanted=Wanted(task or "", top or 0))

    return chain(
        click.option(
            "--task", type=click.Choice(["classification", "regression", "segmentation", "reconstruction"]),
            help="What the model does.  [default: by its outputs and the labels]",
        ),
        click.option(
            "--top", type=click.IntRange(min=2), metavar="K",
            help="Also count labels among the K largest scores.",
        ),
        click.option("--output", default="", metavar="NAME", help="The output that labels are of."),
    )(command)  # fmt: skip


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names of a text file, one per line. Raises FileSystemError, DataError."""
    from tinyserve.errors import DataError, FileSystemError

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "give --labels a text file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8", "write one class name per line") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise DataError(f"{path} names no class", "write one class name per line, in the order of the scores")
    return names


def check_labels(program: Program, path: Path, labels: Sequence[str]) -> None:
    """Raises DataError unless one output has a score for each of the classes that ``path`` names."""
    from tinyserve.compiler.emit.values import class_output
    from tinyserve.errors import DataError

    if class_output(program, len(labels)) is not None:
        return
    counts = [str(tensor.elements) for tensor in program.output_tensors]
    have = f"output has {counts[0]}" if len(counts) == 1 else f"outputs have {', '.join(counts)}"
    raise DataError(
        f"{path} names {counted(len(labels), 'class', 'classes')}, the model's {have} values",
        "write one class name per line, as many as one output has scores, in their order",
    )


def interface(function: F) -> F:
    """--instance and --labels: how the generated C meets its caller."""
    return chain(
        click.option(
            "--instance", type=click.Choice(["static", "caller"]), default="static", show_default=True,
            help="One static model, or contexts and arenas of the caller's: ts_NAME_init(&self, arena).",
        ),
        click.option(
            "--labels", type=PATH, metavar="FILE",
            help="Names of the classes for NAME_values.h, one a line.  [default: the bundle's]",
        ),
    )(function)  # fmt: skip


def loading(function: F) -> F:
    """--input-shape, --signature, --custom, --trust: how a trained model is loaded."""
    return chain(
        click.option(
            "--input-shape", "shapes", multiple=True, metavar="SHAPE",
            help="Shape of an input with dynamic dimensions, such as 1x49x10x1; once per input.",
        ),
        click.option("--signature", default="", help="The signature to use, where a model has several."),
        click.option(
            "--custom", multiple=True, metavar="MODULE:NAME",
            help="Module and class of a custom Keras layer; repeatable."
        ),
        click.option("--trust", is_flag=True, help="Load pickles (scikit-learn), which may run code."),
    )(function)  # fmt: skip


def shape(text: str) -> tuple[int, ...]:
    """'1x49x10x1' as extents. Raises UsageError."""
    from tinyserve.errors import UsageError

    parts = text.replace("×", "x").replace(",", "x").split("x")
    if not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"--input-shape {text}: not a shape", "write it as 1x49x10x1")
    return tuple(int(part) for part in parts)


def reading(function: Callable[..., Any]) -> Callable[..., Any]:
    """--pixel-range, --stride, --sample-rate, --time, --time-unit, --entity: how samples are made of images,
    tables and audio, as one argument ``reading``."""
    names = ("pixel_range", "stride", "sample_rate", "time", "time_unit", "entity")

    @wraps(function)
    def command(**arguments: Any) -> Any:
        from tinyserve.datasets.named import Reading

        chosen = Reading(**{name: arguments.pop(name) for name in names})
        return function(**arguments, reading=chosen)

    return chain(
        click.option(
            "--pixel-range", type=float, nargs=2, metavar="LOW HIGH",
            help="The values that pixels 0 and 255 are mapped to; required for images.",
        ),
        click.option(
            "--stride", type=click.IntRange(min=0), default=0,
            help="Rows or audio samples between the starts of windows.  [default: one window]",
        ),
        click.option(
            "--sample-rate", type=click.IntRange(min=0), default=0,
            help="Sampling rate, in Hz, that the model was trained with."
        ),
        click.option(
            "--time", default="", metavar="COLUMN",
            help="The column with the time of each row (CSV, Parquet): windows end at gaps.",
        ),
        click.option(
            "--time-unit", type=click.Choice(["s", "ms", "us", "ns"]), default="s",
            help="Of times that are numbers.  [default: s]",
        ),
        click.option(
            "--entity", default="", metavar="COLUMN",
            help="The column that names each row's source: no window mixes two.",
        ),
    )(command)  # fmt: skip


def measure_on(board: str, operators: tuple[Path, ...] = ()) -> Callable[[bytes], Cost]:
    """What tells a model's costs on a board's twin. Raises UsageError for a board that has none."""
    from tinyserve import boards, workflow
    from tinyserve.errors import UsageError

    if not workflow.is_twin(boards.load(board)):
        raise UsageError(f"--board {board}: counts no instructions", "take a microcontroller: cortex-m4")

    def measure(model: bytes) -> Cost:
        from tinyserve.bench.counts.count import cost

        return cost(model, board, operators)

    return measure


def floats_on(board: str, operators: tuple[Path, ...] = ()) -> Callable[[bytes], FloatShare]:
    """What tells the cost of a model's float layers on a board's twin, as ``measure_on``."""

    def share(model: bytes) -> FloatShare:
        from tinyserve.bench.counts.count import float_share

        return float_share(model, board, operators)

    return share


def optimize(function: F) -> F:
    """--optimize: what the compiler prefers where it has a choice."""
    return click.option(
        "--optimize", type=click.Choice(["balanced", "speed", "size", "ram"]), default="balanced",
        show_default=True, help="Prefer speed, code size or RAM, or balance them.",
    )(function)  # fmt: skip


def feed(function: F) -> F:
    """--feed: how the application hands the input over."""
    return click.option(
        "--feed", type=click.Choice(["whole", "rows"]), default="whole", show_default=True,
        help="How the input arrives: at once, or row by row, so that it is never in RAM as a whole.",
    )(function)  # fmt: skip


def optimizes(function: F) -> F:
    """--optimize, repeatable: one cell per preference."""
    return click.option(
        "--optimize", type=click.Choice(["balanced", "speed", "size", "ram"]), multiple=True,
        default=["balanced"], show_default=True, help="What to prefer; repeatable.",
    )(function)  # fmt: skip


def choices(function: F) -> F:
    """--variant, --tuned: kernels by layer, against the compiler's choice."""
    return chain(
        click.option(
            "--variant", "variants", multiple=True, metavar="LAYER=VARIANT",
            help="Kernel variant of a layer, e.g. conv2d_1=portable; repeatable. `profile` names them.",
        ),
        click.option("--tuned", type=PATH, metavar="FILE", help="Use the kernel variants that `tune` chose."),
    )(function)  # fmt: skip


def chosen_variants(variants: tuple[str, ...], tuned: Path | None, model: bytes) -> tuple[Choice, ...]:
    """The choices of both options; --variant counts where they differ.

    Raises UsageError and DataError for what cannot be understood.
    """
    from tinyserve.bench.counts.tuning import load
    from tinyserve.compiler.program import Choice
    from tinyserve.errors import UsageError

    found = load(tuned, hashlib.sha256(model).hexdigest()).choices() if tuned else ()
    for text in variants:
        layer, equals, variant = text.rpartition("=")
        if not (layer and equals and variant):
            raise UsageError(
                f"--variant {text}: not LAYER=VARIANT", "for example --variant conv2d_1=portable"
            )
        found += (Choice(layer, variant),)
    return found


def engine(function: F) -> F:
    """--engine and --tflm: ahead-of-time compiled C, or the TFLM interpreter and where it is."""
    return chain(
        click.option(
            "--engine", type=click.Choice(["aot", "tflm"]), default="aot", show_default=True,
            help="Run compiled C (aot) or the TensorFlow Lite Micro interpreter (tflm).",
        ),
        _TFLM,
    )(function)  # fmt: skip


def engines(function: F) -> F:
    """--engine, repeatable, and --tflm: one cell per engine."""
    return chain(
        click.option(
            "--engine", "engines", type=click.Choice(["aot", "tflm"]), multiple=True, default=["aot"],
            show_default=True, help="Compiled C (aot), the TFLM interpreter (tflm), or both; repeatable.",
        ),
        _TFLM,
    )(function)  # fmt: skip


def _checked_operators(
    context: click.Context, option: click.Parameter, value: tuple[Path, ...]
) -> tuple[Path, ...]:
    if not value:
        return ()
    from tinyserve.compiler.ops.support import external

    return external.checked(value)


# The environment's variables are defaults: what a run uses is in its arguments, wherever it runs.
_TFLM = click.option(
    "--tflm", default="", metavar="DIR", envvar="TINYSERVE_TFLM",
    help="TFLM's source tree or built library; for real boards also a PlatformIO library.",
)  # fmt: skip
operators = click.option(
    "--ops", "operators", multiple=True, type=PATH, metavar="DIR", envvar="TINYSERVE_OPS",
    callback=_checked_operators, help="Directory of custom operators, a .py and a .h each; repeatable.",
)  # fmt: skip


def toolchain(function: F) -> F:
    """--toolchain: which compiler builds the firmware."""
    return click.option(
        "--toolchain", type=click.Choice(["zig", "gcc"]), default="zig", show_default=True,
        help="The C compiler for emulated boards.",
    )(function)  # fmt: skip


@dataclass(frozen=True)
class Making:
    """How a firmware is made of a source: the options of `making`."""

    converting: Converting
    optimize: Optimize
    feed: Feed
    variants: tuple[str, ...]
    tuned: Path | None
    engine: str
    toolchain: ToolchainName
    tflm: str

    def firmware(
        self,
        source: Path,
        board: Board,
        progress: Progress,
        *,
        emulate: bool,
        directory: Path | None = None,
        energy_mode: bool = False,
        cycles_per_instruction: float = 1.0,
    ) -> tuple[Bundle, Firmware]:
        """The bundle of ``source`` and its firmware for a board, in ``directory`` or within the bundle."""
        from tinyserve import workflow
        from tinyserve.firmware.tflm_library import check_engine

        check_engine(self.engine, board, self.toolchain, emulate, self.tflm)
        made = workflow.to_bundle(source, self.converting.conversion(self.engine), progress)
        build = workflow.Build(
            optimize=self.optimize,
            feed=self.feed,
            engine=self.engine,
            toolchain=self.toolchain,
            emulate=emulate,
            directory=directory,
            choices=chosen_variants(self.variants, self.tuned, made.model_bytes()),
            energy_mode=energy_mode,
            cycles_per_instruction=cycles_per_instruction,
            operators=self.converting.operators,
            tflm=self.tflm,
        )
        compiled = workflow.to_compiled(made, board, build, progress)
        return made, workflow.to_firmware(made, compiled, board, build, progress)

    def timed_twin(
        self, source: Path, board: Board, progress: Progress, *, emulate: bool, energy_mode: bool = False
    ) -> Firmware:
        """A twin whose time stamps are the cycle model's estimate: built twice, once to count."""
        from tinyserve.bench.counts.estimates import cycles_per_instruction

        _, firmware = self.firmware(source, board, progress, emulate=emulate, energy_mode=energy_mode)
        progress("estimating cycles")
        cycles = cycles_per_instruction(firmware, board)
        if cycles == 1.0:
            return firmware
        return self.firmware(
            source, board, progress, emulate=emulate, energy_mode=energy_mode, cycles_per_instruction=cycles
        )[1]


def making(function: Callable[..., Any]) -> Callable[..., Any]:
    """All options of commands that make a firmware, which they get as one argument: ``making``."""
    names = [field.name for field in fields(Making)]

    @wraps(function)
    def command(**arguments: Any) -> Any:
        chosen = Making(**{name: arguments.pop(name) for name in names})
        return function(**arguments, making=chosen)

    return chain(optimize, feed, choices, engine, toolchain, conversion)(command)


def twin_anyway(function: F) -> F:
    """--emulate, for commands that count instructions: only twins can, so that it changes nothing."""
    help = "The board's twin, which counts in any case."
    return click.option("--emulate", is_flag=True, expose_value=False, help=help)(function)


def device(function: F) -> F:
    """--emulate, --emulator, --port: what runs the firmware."""
    return chain(
        click.option("--emulate", is_flag=True, help="Use the board's twin: same core, flash and RAM."),
        click.option("--emulator", type=EMULATOR, help="The emulator: unicorn, qemu, renode or host."),
        click.option("--port", metavar="PORT", help="Serial port of a real board; 'auto' finds it."),
    )(function)


def reports(function: F) -> F:
    """Where results go, and what they are held against."""
    return chain(
        *(
            click.option(f"--{name}", type=PATH, metavar="FILE", help=form.help)
            for name, form in FORMS.items()
        ),
        click.option("--github-summary", is_flag=True, help="Add Markdown to the GitHub job's summary."),
        click.option(
            "--budget", type=PATH, metavar="TOML", help="Limits; exit status 3 if one is exceeded."
        ),
        click.option(
            "--baseline", type=PATH, metavar="JSON", help="Earlier result; exit status 3 if now worse."
        ),
        click.option(
            "--tolerance", "tolerances", multiple=True, metavar="METRIC=PERCENT",
            help="Tolerance of a metric against the baseline; repeatable.",
        ),
    )(function)  # fmt: skip
