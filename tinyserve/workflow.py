# SPDX-License-Identifier: Apache-2.0
"""Does the steps that are missing: from a source model, a .tflite or a bundle to what a command needs.

Steps whose inputs have not changed are skipped: a conversion is known by the hash of the model, the data and
the options (kept in the bundle's ``workflow.json``); builds are cached by content in ``firmware/``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tinyserve import bundle
from tinyserve.bundle import MANIFEST_FILE, Bundle
from tinyserve.compiler.names import identifier
from tinyserve.compiler.ops.support import external
from tinyserve.compiler.program import Choice, Feed, Optimize, Target
from tinyserve.compiler.reserved import why_not
from tinyserve.documents import from_json
from tinyserve.errors import FileSystemError, ModelError, UsageError
from tinyserve.files import refuse_any_link, refuse_links, refuse_special, write
from tinyserve.locks import alone
from tinyserve.progress import Progress
from tinyserve.resources import data_directory

if TYPE_CHECKING:
    from tinyserve.boards.fit import Demand
    from tinyserve.boards.types import Board
    from tinyserve.compiler.compile import Compiled
    from tinyserve.convert.settings import Options as ConvertOptions
    from tinyserve.firmware.build import Firmware
    from tinyserve.firmware.toolchain import Name as ToolchainName

BUILD_DIRECTORY = Path("build")
STEPS_FILE = "workflow.json"
_LONGEST_NAME = 40
_BEHIND = "_model"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Conversion:
    """How a source model becomes a bundle. ``output`` None: build/<model's name>.bundle.

    ``representative`` and ``samples`` are what ``convert.data.load`` takes: paths, module:function, "random".
    ``engine`` "tflm" lets operators pass that the compiler lacks; ``operators`` are directories of operators
    from outside: both whatever ``options`` say.
    """

    representative: str | None = None
    quantize: str = "int8"
    output: Path | None = None
    name: str | None = None
    samples: str | None = None
    options: ConvertOptions | None = None
    engine: str = "aot"
    operators: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Build:
    """How a bundle becomes firmware. ``directory`` None: <bundle>/<board>/. ``choices``: kernels by layer.

    ``operators``: directories of operators from outside. ``tflm``: what --tflm names, for the engine tflm.
    ``energy_mode``: MLPerf Tiny's, for a twin. ``cycles_per_instruction``: what a twin's time stamps take an
    instruction for.
    """

    optimize: Optimize = "balanced"
    engine: str = "aot"
    _: KW_ONLY
    toolchain: ToolchainName = "zig"
    emulate: bool = False
    directory: Path | None = None
    choices: tuple[Choice, ...] = ()
    energy_mode: bool = False
    cycles_per_instruction: float = 1.0
    operators: tuple[Path, ...] = ()
    tflm: str = ""
    is_exported: bool = False
    """Whether others link it: then where arena and constants lie is theirs to say."""
    feed: Feed = "whole"

    def target(self, board: Board | None) -> Target:
        """What the compiler may use on a board; the portable kernels without one."""
        chosen = product_target if self.is_exported else target
        return chosen(board, self.optimize, self.choices, self.operators, self.feed)


class _Done(msgspec.Struct):
    """workflow.json: the inputs that the bundle beside it was made from."""

    key: str


def is_bundle(path: Path) -> bool:
    """Whether ``path`` is a bundle directory (one with a manifest)."""
    return (path / MANIFEST_FILE).is_file()


def is_pipeline(source: Path) -> bool:
    """Whether ``source`` describes a pipeline of several models."""
    return source.suffix == ".toml"


def to_bundle(source: Path, conversion: Conversion, progress: Progress) -> Bundle:
    """The bundle itself, or the conversion of a model; an unchanged conversion is not repeated.

    Raises FileSystemError for a missing source and what ``convert`` raises.
    """
    if is_bundle(source):
        return bundle.load(source)
    _require(source)
    output = conversion.output or BUILD_DIRECTORY / f"{source.stem}.bundle"
    with alone(output, progress):
        return _converted(source, output, conversion, progress)


def _converted(source: Path, output: Path, conversion: Conversion, progress: Progress) -> Bundle:
    key = _conversion_key(source, conversion)
    if key and is_bundle(output) and _done_key(output) == key:
        return bundle.load(output)
    made = (_composed if is_pipeline(source) else _from_model)(source, output, conversion, progress)
    if key:
        write(output / STEPS_FILE, msgspec.json.encode(_Done(key)))
    return made


def _composed(source: Path, output: Path, conversion: Conversion, progress: Progress) -> Bundle:
    from tinyserve.datasets.named import AS_IT_IS
    from tinyserve.pipeline.make import make

    if conversion.representative is not None:
        raise UsageError(
            f"{source}: --representative calibrates a model, and those of a pipeline are converted already",
            "--samples DATA for what the pipeline is checked with",
        )
    reading = conversion.options.reading if conversion.options else AS_IT_IS
    return make(
        source, output, name=conversion.name, samples=conversion.samples, reading=reading,
        operators=conversion.operators, progress=progress,
    )  # fmt: skip


def _from_model(source: Path, output: Path, conversion: Conversion, progress: Progress) -> Bundle:
    from tinyserve.convert import convert
    from tinyserve.convert.settings import Options

    options = conversion.options or Options()
    if conversion.engine != "aot":
        options = replace(options, engine=conversion.engine)
    if conversion.operators:
        options = replace(options, operators=conversion.operators)
    return convert(
        source,
        output=output,
        representative=conversion.representative,
        quantize=conversion.quantize,
        progress=progress,
        name=conversion.name,
        samples=conversion.samples,
        options=options,
    )


def model_bytes(source: Path, conversion: Conversion, progress: Progress) -> tuple[bytes, str]:
    """The .tflite to compile and its name, for commands without held-out samples: a .tflite as it is,
    a bundle gives its model, anything else is converted first.

    Raises FileSystemError where it is missing, ModelError with the file's name where it is damaged.
    """
    data, name, _ = model_and_labels(source, conversion, progress)
    return data, name


def model_and_labels(
    source: Path, conversion: Conversion, progress: Progress
) -> tuple[bytes, str, tuple[str, ...]]:
    """As ``model_bytes``, with the names of the classes where a bundle has them."""
    if source.is_file() and source.suffix.lower() == ".tflite":
        data = _read(source)
        _check_model(source, data)
        return data, conversion.name or source.stem, ()
    made = to_bundle(source, conversion, progress)
    return made.model_bytes(), conversion.name or made.manifest.name, tuple(made.manifest.labels)


def library_name(title: str) -> str:
    """A name for files and functions of a model's: ``Person Detect-96`` gives ``person_detect_96``."""
    plain = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:_LONGEST_NAME].rstrip("_")
    if not plain:
        return "model"
    if not plain[0].isalpha():
        return f"model_{plain}"
    taken = identifier(plain) != plain or why_not(plain)
    return f"{plain[: _LONGEST_NAME - len(_BEHIND)].rstrip('_')}{_BEHIND}" if taken else plain


def target(
    board: Board | None,
    optimize: Optimize,
    choices: tuple[Choice, ...] = (),
    operators: tuple[Path, ...] = (),
    feed: Feed = "whole",
) -> Target:
    """What the compiler may use on a board; the portable kernels without one."""
    from tinyserve.boards.memories import memories_of

    features = frozenset(board.core.features if board else ())
    return Target(features, optimize, choices, operators, memories_of(board), feed)


def product_target(
    board: Board | None,
    optimize: Optimize,
    choices: tuple[Choice, ...] = (),
    operators: tuple[Path, ...] = (),
    feed: Feed = "whole",
) -> Target:
    """As ``target``, for code that others link: where its arena and constants lie is theirs to say."""
    from tinyserve.compiler.program import ONE_MEMORY

    return replace(target(board, optimize, choices, operators, feed), memories=ONE_MEMORY)


def boards_that_fit(
    source: Path, conversion: Conversion, optimize: Optimize, boards: Sequence[Board], progress: Progress
) -> list[Board]:
    """The boards with enough flash and RAM for the model's bench firmware."""
    from tinyserve.boards.fit import fit
    from tinyserve.compiler.compile import compile_model

    data, name = model_bytes(source, conversion, progress)
    sizing = Sizing(name, lambda chosen: compile_model(data, chosen), optimize, conversion.operators)
    needs = sizing.on(boards, progress)
    return [board for board in boards if fit(needs[board.id], board) != "too large"]


@dataclass(frozen=True)
class Sizing:
    """Flash and RAM of a model's bench firmware, board by board, compiled once for each instruction set.
    ``name`` is what the model is called."""

    name: str
    compiled_for: Callable[[Target], Compiled]
    optimize: Optimize
    operators: tuple[Path, ...] = ()
    feed: Feed = "whole"
    _compiled: dict[Target, Compiled] = field(default_factory=dict, init=False, repr=False, compare=False)

    def compiled(self, board: Board | None) -> Compiled:
        """The model for a board; with the portable kernels without one."""
        from tinyserve.compiler.compile import placed
        from tinyserve.compiler.program import ONE_MEMORY

        chosen = target(board, self.optimize, (), self.operators, self.feed)
        plain = replace(chosen, memories=ONE_MEMORY)
        if plain not in self._compiled:
            self._compiled[plain] = self.compiled_for(plain)
        return placed(self._compiled[plain], chosen.memories)

    def linked(self, board: Board) -> Demand:
        """What it needs of a board, as ``build`` would have it."""
        from tinyserve.firmware.footprint.demand import demand

        compiled = self.compiled(board)
        return demand(compiled, board, identity(compiled, self.name))

    def on(self, boards: Sequence[Board], progress: Progress) -> dict[str, Demand]:
        """What it needs of each board, by the board's id: built where an estimate does not tell whether it
        fits."""
        from tinyserve.firmware.footprint.demand import demand_in_doubt

        needs = {}
        for index, board in enumerate(boards):
            progress("sizes on each board", index + 1, len(boards))
            made = self.compiled(board)
            needs[board.id] = demand_in_doubt(made, board, identity(made, self.name))
        return needs


def identity(compiled: Compiled, name: str) -> str:
    """What firmware of the model called ``name`` answers for itself."""
    from tinyserve.convert.tflite import facts

    program = compiled.program
    return facts.mlperf_id(program.input_tensors, program.output_tensors) or name


def to_compiled(made: Bundle, board: Board | None, build: Build, progress: Progress) -> Compiled:
    """The bundle's model as C for a board. The name is ``model``: firmware carries one model.

    With the engine "tflm" it is the model's file, and the interpreter's glue.
    """
    if build.engine == "tflm":
        if build.feed != "whole":
            raise UsageError("--feed rows: the interpreter takes whole inputs", "use --engine aot")
        from tinyserve.compiler.tflm.generate import interpret

        progress("sizing the arena")
        return interpret(made.model_bytes(), build.target(board), "model")
    from tinyserve.compiler.compile import compile_model

    progress("compiling")
    return compile_model(made.model_bytes(), build.target(board), "model")


def to_firmware(made: Bundle, compiled: Compiled, board: Board, build: Build, progress: Progress) -> Firmware:
    """The firmware of a compiled model for a board."""
    from tinyserve.firmware.build import build as build_project
    from tinyserve.firmware.render import render

    directory = project_directory(made, board, build)
    with alone(directory, progress):
        progress("rendering firmware")
        project = render(
            compiled, board, directory, build.engine, emulate=build.emulate,
            model_id=made.manifest.mlperf_id or made.manifest.name, energy_mode=build.energy_mode,
            cycles_per_instruction=build.cycles_per_instruction, tflm=build.tflm,
        )  # fmt: skip
        progress("building firmware")
        return build_project(project, build.toolchain)


def project_directory(made: Bundle, board: Board, build: Build) -> Path:
    """Where ``to_firmware`` and ``as_flashed`` write. Raises FileSystemError where the bundle brought
    links."""
    if build.directory is not None:
        return build.directory
    return inside(made, _variant(board, build) if has_twin(board) else f"{board.id}-platformio")


@contextmanager
def at_work(made: Bundle, board: Board, build: Build, progress: Progress) -> Iterator[None]:
    """Holds the bundle and the project's directory from rendering until a device has run the firmware:
    another process neither converts the bundle anew nor builds there meanwhile."""
    with alone(made.path, progress, shared=True), alone(project_directory(made, board, build), progress):
        yield


def as_flashed(made: Bundle, compiled: Compiled, board: Board, build: Build) -> Firmware:
    """Stands for the firmware that PlatformIO has put on a board whose core has no twin: no size is known."""
    from tinyserve.firmware.build import Firmware
    from tinyserve.firmware.render import ELF_FILE, render

    directory = project_directory(made, board, build)
    identity = made.manifest.mlperf_id or made.manifest.name
    project = render(compiled, board, directory, build.engine, model_id=identity, tflm=build.tflm)
    return Firmware(
        elf=directory / ELF_FILE,
        project=project,
        sizes=None,
        stack=None,
        toolchain="as flashed",
        flags=(),
        cached=False,
    )


def inside(made: Bundle, name: str) -> Path:
    """A directory in the bundle to write a project to. Raises FileSystemError where the bundle brought
    links there."""
    directory = made.path / name
    refuse_links(made.path, directory)
    if directory.is_dir():
        refuse_any_link(directory)
    return directory


def has_twin(board: Board) -> bool:
    """Whether firmware for the board's core can be built and emulated here, or run on this computer."""
    return board.core.port != ""


def _variant(board: Board, build: Build) -> str:
    """The directory's name: the board's and what differs from the defaults, so that cells keep apart."""
    options = [build.optimize, build.engine, build.toolchain]
    options += (
        ["fed"] * (build.feed == "rows") + ["chosen"] * bool(build.choices) + ["energy"] * build.energy_mode
    )
    return "-".join([board.id, *(option for option in options if option not in _DEFAULTS)])


_DEFAULTS = ("balanced", "aot", "zig")


def choose_emulator(board: Board, emulate: bool, emulator: str | None, port: str | None) -> str | None:
    """The emulator to use, or None for a real board at ``port``.

    Raises UsageError where the options contradict each other or the board has no such emulator.
    """
    if port is not None:
        if emulate or emulator:
            raise UsageError("--port names a real board, --emulate and --emulator a twin", "give one of them")
        return None
    if emulate or emulator or not board.is_real:
        from tinyserve.devices import select_emulator

        return select_emulator(board, emulator).kind
    raise UsageError(
        f"{board.id} is a real board, and no port is named",
        "add --emulate for its twin, or --port auto for the board itself",
    )


def check_build(source: Path, board: Board, name: str, emulate: bool) -> None:
    """Whether firmware for the board, or for its twin, is built here. ``name`` is what the user called it.

    Raises UsageError for a real board, whose own tools build for it, and for a twin that no emulator runs.
    """
    if not emulate and not board.is_real:
        return
    twin = _lack_of_twin(board)
    if emulate and not twin:
        return
    for_board = (
        f"tinyserve flash {source} --board {name}"
        if board.platformio is not None
        else f"tinyserve export {source} --as {board.export_kind} --board {name}"
    )
    if emulate:
        generic = f"; or count on the generic core: --board {board.core.name}" if has_twin(board) else ""
        raise UsageError(twin, f"for the board itself: {for_board}{generic}")
    tools = "PlatformIO builds" if board.platformio is not None else "its own SDK builds"
    raise UsageError(
        f"{board.id}: {tools} the firmware of the board itself",
        for_board if twin else f"{for_board}; --emulate builds for its twin",
    )


def _lack_of_twin(board: Board) -> str:
    """Why no emulator runs the board; "" where one does."""
    from tinyserve.devices import select_emulator

    try:
        select_emulator(board)
    except UsageError as error:
        return error.message
    return ""


def is_twin(board: Board) -> bool:
    """Whether bench firmware is built for the board's twin: everywhere but on this computer."""
    return board.core.port != "host"


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 over files and directory trees: names relative to each path, and contents, in sorted order."""
    total = hashlib.sha256()
    for path in paths:
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            total.update(f"{file.relative_to(path).as_posix()}\0".encode())
            total.update(_digest_of(file))
    return total.hexdigest()


def _digest_of(path: Path) -> bytes:
    """A piece at a time: a data set's file may be larger than the memory."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                total.update(piece)
    except OSError as error:
        raise _unreadable(path, error) from error
    return total.digest()


def package_digest(operators: Iterable[Path] = ()) -> str:
    """SHA-256 of the package's own files and of operators from outside: results of another version of the
    code are not this one's."""
    outside = external.files(operators)
    return _own_digest() + digest(outside) if outside else _own_digest()


@cache
def _own_digest() -> str:
    package = Path(__file__).parent
    kept = [path for path in package.rglob("*") if path.suffix in {".py", ".h", ".c", ".S", ".toml", ".j2"}]
    # In a checkout these lie beside the package.
    return digest([*sorted(kept), data_directory("boards"), data_directory("firmware_templates")])


def _conversion_key(source: Path, conversion: Conversion) -> str:
    """What a conversion depends on: the code, the files by content, everything else by its name.

    Functions that yield samples may change unseen, and so have no key: they are always called.
    """
    names = [name for name in (conversion.representative, conversion.samples) if name]
    files = [source, *(Path(name) for name in names if Path(name).exists())]
    if is_pipeline(source):
        files += _models_of(source)
    if any(":" in name and not Path(name).exists() for name in names):
        return ""
    options = replace(conversion.options, operators=()) if conversion.options else None
    settings = [
        package_digest(conversion.operators), conversion.quantize, conversion.name or source.stem,
        repr(names), repr(options), digest(files),
    ]  # fmt: skip
    return hashlib.sha256("\0".join(settings).encode()).hexdigest()


def _models_of(source: Path) -> list[Path]:
    """The models that a pipeline names, as far as they are there."""
    from tinyserve.pipeline import spec

    nodes = spec.load(source).nodes
    paths = [source.parent / node.model for node in nodes if isinstance(node, spec.ModelNode)]
    inside = [path / bundle.MODEL_FILE if is_bundle(path) else path for path in paths]
    held = [path / name for path in paths if is_bundle(path) for name in (MANIFEST_FILE, bundle.SAMPLES_FILE)]
    return [path for path in [*inside, *held] if path.is_file()]


def _done_key(directory: Path) -> str:
    refuse_special(directory)
    try:
        return from_json((directory / STEPS_FILE).read_bytes(), _Done).key
    except (OSError, msgspec.DecodeError):
        return ""


def _check_model(path: Path, data: bytes) -> None:
    """Reads the model once more than the compiler does: only here is it known which file it came from."""
    from tinyserve.compiler.graph import reader

    try:
        model = reader.read(data)
    except ModelError as error:
        raise type(error)(f"{path}: {error.message}", error.hint) from error
    if len(set(model.signatures.values())) > 1:
        names = sorted(model.signatures)
        raise UsageError(
            f"{path}: has several signatures (it has: {', '.join(names)})",
            f"make a bundle of one: tinyserve convert {path} --signature {names[0]}",
        )


def _require(path: Path) -> None:
    if not path.exists():
        raise FileSystemError(f"{path}: no such file or directory", "check the path")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> FileSystemError:
    return FileSystemError(f"{path}: {error.strerror}", "check the path and its permissions")
