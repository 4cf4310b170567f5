# SPDX-License-Identifier: Apache-2.0
"""The bundle: a directory with a converted model and all that later steps want to know about it.

::

    build/kws/
      model.tflite       what is compiled
      manifest.json      Manifest, below
      original.tflite    the float model that it was quantized from (where there is one)
      samples.npz        held-out samples: input_0.. (quantized, N first), expected_0..;
                         float_input_0.., label (both optional)
      profile.json       what a device would count of the representative data (tinyserve/health)

It is written to a temporary sibling and renamed, so that a half-written bundle never exists.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from tinyserve import npz, platforms
from tinyserve.documents import from_json
from tinyserve.errors import FileSystemError, ModelError, UsageError
from tinyserve.escapes import visible
from tinyserve.files import hidden_prefix, refuse_special

FORMAT = 1
MODEL_FILE = "model.tflite"
MANIFEST_FILE = "manifest.json"
SAMPLES_FILE = "samples.npz"
ORIGINAL_FILE = "original.tflite"
LONGEST_NAME = 200
_LARGEST = 2**63 - 1
_UNREADABLE = (
    OSError, ValueError, EOFError, KeyError, MemoryError, NotImplementedError, SyntaxError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip

# A bundle may come from anywhere: what its manifest says is checked as it is read.
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
_MLPERF_ID = r"^[A-Za-z0-9_.-]{0,64}\Z"
MlperfId = Annotated[str, Meta(pattern=_MLPERF_ID)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=_LARGEST)]
TypeName = Annotated[str, Meta(pattern=r"^[a-z0-9]{1,16}\Z")]


class TensorInfo(msgspec.Struct, frozen=True):
    """An input or output as the compiled model has it. ``scale`` is 0.0 for unquantized tensors.

    ``form``: axis i here is axis form[i] in the trained model; empty where that has the same layout.
    ``source_dtype``: of an input of bytes in the trained model, which is taken as the floats that these
    become; else empty.

    ``scales`` and ``zero_points``: of each entry of the last axis, where they differ (features of trees);
    else empty.
    """

    name: str
    shape: list[Count]
    dtype: TypeName
    scale: float = 0.0
    zero_point: int = 0
    scales: list[float] = []
    zero_points: list[int] = []
    form: list[int] = []
    source_dtype: str = ""


EVENT = TensorInfo("event", [1, 2], "int32")
"""The output of a decision on a model's scores, which is its last."""


PIPELINE = "pipeline"
"""The framework of a bundle that several models were put together in; labels are of its first output."""


class Source(msgspec.Struct, frozen=True):
    """The trained model that the bundle was made from."""

    name: str
    sha256: Sha256
    framework: str


class OutputAccuracy(msgspec.Struct, frozen=True):
    """How one output of the quantized model compares with the original on the held-out samples.

    ``top1_agreement`` is there for class scores. For other outputs ``error_sigma`` is: the RMS error over the
    standard deviation of the original's output; of the worst value where there are up to 64.
    """

    name: str
    sqnr_db: float | None
    max_error: float
    top1_agreement: float | None
    error_sigma: float | None = None


class Score(msgspec.Struct, frozen=True):
    """A metric of a task: accuracy, mean IoU, R², AUC (shares), RMSE, MAE (in the target's unit)."""

    metric: str
    value: float
    better: Literal["higher", "lower"] = "higher"


class TaskScores(msgspec.Struct, frozen=True, kw_only=True):
    """The task's metrics on ``samples`` labelled samples, the main one first, of the converted model and of
    the float original (empty where that was not run). ``why`` says how the task is known, ``doubt`` why
    labels seem to mean other classes than the model's."""

    task: str
    why: str
    output: str
    samples: int
    converted: list[Score]
    original: list[Score] = []
    doubt: str = ""


class InputStatistics(msgspec.Struct, frozen=True):
    """The representative data of one input, in real units."""

    name: str
    samples: int
    minimum: float
    maximum: float
    mean: float
    percentiles: dict[str, float]


class WeightStatistics(msgspec.Struct, frozen=True):
    """The weights of a layer: what pruning (``zeros``) and clustering (``distinct`` values) left of them."""

    name: str
    dtype: str
    elements: int
    zeros: int
    distinct: int


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Of a model on ``board``: flash of its bench firmware, its arena, instructions of one inference."""

    board: str
    flash_bytes: int
    arena_bytes: int
    instructions: int


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A way to quantize that was made and measured on the held-out samples.

    ``options`` ask for it. ``score`` is the task's metric (accuracy, R², mean IoU, AUC) where there are
    labels, else an "agreement" (share of samples with the original's top class) or a "fit" (1 − the squared
    error over the output's variance): ``measure`` says which. ``sqnr_db`` is that of the worst output.
    ``failed`` says why it could not be made. ``constant_bytes``: weights and tables in flash. ``macs`` and
    ``arena_bytes``: 0 where the ahead-of-time compiler lacks an operator of it. ``cost`` on a board, where
    it was measured.
    """

    name: str
    options: str
    failed: str = ""
    measure: str = ""
    score: float | None = None
    sqnr_db: float | None = None
    constant_bytes: int = 0
    arena_bytes: int = 0
    macs: int = 0
    cost: Cost | None = None
    taken: bool = False


class Manifest(msgspec.Struct, kw_only=True):
    """manifest.json. ``arena_bytes`` is of the portable build with default options. ``labels`` are the
    classes in the order of the outputs, where the source knows them. ``accuracy`` and ``scores`` are of
    ``compared`` samples, those held out among them. ``synthetic``: integers were chosen by random data, so
    that figures of accuracy say nothing of real data. ``stream``: samples follow one another, and state lives
    from one to the next. ``rate_hz``: samples per second of the input, 0 where that is not known."""

    format: int = FORMAT
    name: Name
    model_sha256: Sha256
    source: Source
    quantize: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    ops: dict[str, Count]
    macs: Count
    arena_bytes: Count
    samples: Count
    expected_from: str
    tools: dict[str, str]
    accuracy: list[OutputAccuracy] = []
    compared: Count = 0
    scores: TaskScores | None = None
    synthetic: bool = False
    stream: bool = False
    rate_hz: float = 0.0
    representative: list[InputStatistics] = []
    weights: list[WeightStatistics] = []
    variants: list[Tried] = []
    mlperf_id: MlperfId = ""
    input_layout: str = "NHWC"
    labels: list[str] = []
    notes: list[str] = []


@dataclass(frozen=True)
class Samples:
    """Held-out samples: per input and output one array with the sample axis first (the batch axis becomes it:
    shape (N, *tensor.shape[1:]) for batch 1).

    ``inputs`` and ``expected`` have the model's own types; ``float_inputs`` are the same samples in real
    units.
    """

    inputs: list[npt.NDArray[Any]]
    expected: list[npt.NDArray[Any]]
    labels: npt.NDArray[Any] | None = None
    float_inputs: list[npt.NDArray[Any]] | None = None

    def __len__(self) -> int:
        return len(self.inputs[0]) if self.inputs else 0


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk."""

    path: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        return self.path / MODEL_FILE

    def model_bytes(self) -> bytes:
        """model.tflite, if it is the file that the manifest describes. Raises FileSystemError and
        ModelError."""
        try:
            data = self.model_path.read_bytes()
        except OSError as error:
            raise FileSystemError(
                f"{self.model_path}: {error.strerror}", "convert again: the bundle is not complete"
            ) from error
        if hashlib.sha256(data).hexdigest() != self.manifest.model_sha256:
            raise ModelError(
                f"{self.model_path} is not the file that {MANIFEST_FILE} describes (its SHA-256 differs)",
                "convert it to a bundle of its own: what the manifest says is about another model",
            )
        return data

    def original_path(self) -> Path | None:
        """The float model that the model was quantized from; None where it came quantized, or is float."""
        path = self.path / ORIGINAL_FILE
        return path if path.is_file() else None

    def samples(self) -> Samples:
        """The held-out samples. Raises ModelError where the file is missing or malformed."""
        path = self.path / SAMPLES_FILE
        inputs, outputs = range(len(self.manifest.inputs)), range(len(self.manifest.outputs))
        try:
            named = npz.load(path)
            floats = [named[f"float_input_{i}"] for i in inputs] if "float_input_0" in named else None
            held = Samples(
                inputs=[named[f"input_{i}"] for i in inputs],
                expected=[named[f"expected_{i}"] for i in outputs],
                labels=named.get("label"),
                float_inputs=floats,
            )
            _check_samples(held, self.manifest)
        except _UNREADABLE as error:
            raise ModelError(f"{path}: cannot read the held-out samples: {error}", "convert again") from error
        return held


def _check_samples(held: Samples, manifest: Manifest) -> None:
    """Raises ValueError where samples are not of the types and shapes that the manifest gives the tensors, or
    not as many of each."""
    count = next((array.shape[0] for array in held.inputs if array.ndim), 0)
    stored = [
        *zip(manifest.inputs, held.inputs, strict=True),
        *zip(manifest.outputs, held.expected, strict=True),
    ]
    real = list(zip(manifest.inputs, held.float_inputs or [], strict=bool(held.float_inputs)))
    for info, array in (*stored, *real):
        wanted = (count, *sample_shape(info))
        if array.shape != wanted or array.dtype.kind not in "biufc" or not array.dtype.isnative:
            raise ValueError(
                f"those of {info.name} are {array.dtype} of {array.shape}, where {wanted} is wanted"
            )
    for info, array in stored:
        if array.dtype.name != info.dtype:
            raise ValueError(f"those of {info.name} are {array.dtype}, where {info.dtype} is wanted")
    if held.labels is not None and held.labels.shape[:1] != (count,):
        raise ValueError(f"{count} samples, and labels of shape {held.labels.shape}")


def load(path: Path) -> Bundle:
    """Opens a bundle directory. Raises FileSystemError or ModelError."""
    manifest_path = path / MANIFEST_FILE
    refuse_special(path)
    try:
        raw = manifest_path.read_bytes()
    except OSError as error:
        raise FileSystemError(
            f"{path} is not a bundle: {error.strerror}: {manifest_path}", "run `tinyserve convert` first"
        ) from error
    try:
        manifest = from_json(raw, Manifest)
    except msgspec.DecodeError as error:
        raise ModelError(f"{manifest_path}: {error}", "convert again with this version") from error
    if manifest.name != visible(manifest.name):
        raise ModelError(
            f"{manifest_path}: the name {visible(manifest.name)} has control characters", "correct it there"
        )
    return Bundle(path, manifest)


def check_name(name: str) -> None:
    """Raises UsageError for what ``load`` would refuse as the name of a model."""
    if not name or len(name) > LONGEST_NAME or name != visible(name):
        raise UsageError(
            f"{visible(name)[:LONGEST_NAME]!r} is no name for a model",
            f"1 to {LONGEST_NAME} characters, none of them a control character",
        )


def check_mlperf_id(name: str) -> None:
    """Raises UsageError for what ``load`` would refuse as MLPerf Tiny's name of a model."""
    if not re.match(_MLPERF_ID, name):
        raise UsageError(f"--mlperf-id {visible(name)[:LONGEST_NAME]!r}: no id", "for example kws01")


def name_of(source: Path) -> str:
    """The name of a model that none was given for: its file's, as far as it is one."""
    return visible(source.stem)[:LONGEST_NAME] or "model"


def write(
    path: Path,
    manifest: Manifest,
    model: bytes,
    samples: Samples,
    original: bytes | None = None,
    *,
    extra: Mapping[str, bytes] = MappingProxyType({}),
) -> Bundle:
    """Writes a bundle in one step: what stood at ``path`` stays whole until the new bundle is.

    An older bundle or an empty directory is replaced. Anything else in the way, and a parent that can't be
    written, is a FileSystemError. Returns the bundle as it now is on disk.
    """
    with _explained(path), _staging(path) as staged:
        _fill(staged, manifest, model, samples)
        if original is not None:
            (staged / ORIGINAL_FILE).write_bytes(original)
        for name, content in extra.items():
            (staged / name).write_bytes(content)
        _swap(staged, path)
    return Bundle(path, manifest)


def check_place(path: Path) -> None:
    """Raises the FileSystemError that ``write`` would raise, before hours of work are lost to it."""
    with _explained(path), _staging(path):
        pass


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Refuses a path that is taken; makes FileSystemError of what the system refuses."""
    try:
        if path.exists() and not _replaceable(path):
            raise FileSystemError(
                f"{path} is in the way: it exists and is not a bundle",
                "choose another output directory or remove it",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        where = error.filename or path
        raise FileSystemError(
            f"cannot write the bundle {path}: {error.strerror or error}: {where}",
            "check permissions and free space, or choose another output directory",
        ) from error


def _replaceable(path: Path) -> bool:
    return path.is_dir() and ((path / MANIFEST_FILE).is_file() or not any(path.iterdir()))


@contextlib.contextmanager
def _staging(path: Path) -> Iterator[Path]:
    """A temporary sibling directory (same file system, so that a rename is atomic), gone at the end."""
    parent = Path(tempfile.mkdtemp(prefix=hidden_prefix(path), suffix=".tmp", dir=path.parent))
    try:
        yield parent / "new"
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _fill(directory: Path, manifest: Manifest, model: bytes, samples: Samples) -> None:
    directory.mkdir()
    (directory / MODEL_FILE).write_bytes(model)
    (directory / MANIFEST_FILE).write_bytes(
        msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    )
    arrays: dict[str, Any] = {f"input_{i}": array for i, array in enumerate(samples.inputs)}
    arrays |= {f"expected_{i}": array for i, array in enumerate(samples.expected)}
    arrays |= {f"float_input_{i}": array for i, array in enumerate(samples.float_inputs or [])}
    if samples.labels is not None:
        arrays["label"] = samples.labels
    with (directory / SAMPLES_FILE).open("wb") as file:
        np.savez_compressed(file, **arrays)


def _swap(staged: Path, path: Path) -> None:
    """Puts ``staged`` at ``path``; an older bundle moves into the staging directory and dies with it.

    In one step where the system has one, so that a process that is killed leaves the old one or the new one.
    """
    replace = platforms.here().replace
    if not path.exists():
        replace(staged, path)
        return
    if platforms.here().exchange(staged, path):
        return
    old = staged.with_name("old")
    replace(path, old)
    try:
        replace(staged, path)
    except BaseException:
        replace(old, path)
        raise


_INT32 = (-(2**31), 2**31 - 1)


def sample_shape(info: TensorInfo) -> tuple[int, ...]:
    """The shape of one sample: the tensor's without the batch axis of 1 (an unbatched tensor's own)."""
    return tuple(info.shape[1:] if info.shape[:1] == [1] else info.shape)


def source_shape(info: TensorInfo) -> tuple[int, ...]:
    """The shape of one sample as the trained model has it: another order of axes where ``form`` says so."""
    shape = [0] * len(info.shape)
    for place, axis in enumerate(info.form or range(len(info.shape))):
        shape[axis] = info.shape[place]
    return tuple(shape[1:] if shape[:1] == [1] else shape)


def from_source_layout(values: npt.NDArray[Any], info: TensorInfo) -> npt.NDArray[Any]:
    """Samples (N, *source_shape(info)) as (N, *sample_shape(info))."""
    return values.transpose(_sample_axes(info)) if info.form else values


def to_source_layout(values: npt.NDArray[Any], info: TensorInfo) -> npt.NDArray[Any]:
    """Samples (N, *sample_shape(info)) as (N, *source_shape(info))."""
    return values.transpose(np.argsort(_sample_axes(info)).tolist()) if info.form else values


def _sample_axes(info: TensorInfo) -> list[int]:
    """``form`` for arrays of samples: their first axis stands for a batch axis of 1, or before all others."""
    batched = info.shape[:1] == [1]
    return list(info.form) if batched else [0, *(axis + 1 for axis in info.form)]


def quantize(values: npt.NDArray[Any], info: TensorInfo) -> npt.NDArray[Any]:
    """Real values as a tensor's own type: round half away from zero (as TFLM's QUANTIZE), saturated.

    As NAME_values.h does, of integers beyond int32 as far as these go. Unquantized integers (scale 0.0) have
    a scale of 1; what is an integer already, and other types, are cast.
    """
    dtype = np.dtype(info.dtype)
    if info.scale == 0.0 and (dtype.kind not in "iu" or values.dtype.kind != "f"):
        return values.astype(dtype)
    scale, zero_point = _affine(info) if info.scale else (np.ones(1, np.float32), np.zeros(1, np.int32))
    scaled = values.astype(np.float32, copy=False) / scale  # from here on in place: data sets are large
    scaled += np.copysign(np.float32(0.5), scaled)
    np.trunc(scaled, out=scaled)
    scaled += zero_point.astype(np.float32)
    low, high = (int(np.clip(limit, *_INT32)) for limit in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    if dtype.itemsize > 2:
        scaled = scaled.astype(np.float64)  # holds the limits exactly
    np.fmin(np.fmax(scaled, low, out=scaled), high, out=scaled)  # what is no number becomes the lowest
    quantized: npt.NDArray[Any] = scaled.astype(dtype)
    return quantized


def dequantize(values: npt.NDArray[Any], info: TensorInfo) -> npt.NDArray[Any]:
    """A tensor's values in real units (float32); unquantized tensors are cast."""
    if info.scale == 0.0:
        return values.astype(np.float32)
    scale, zero_point = _affine(info)
    shifted = values.astype(np.int32) - zero_point
    real: npt.NDArray[Any] = shifted.astype(np.float32) * scale
    return real


def _affine(info: TensorInfo) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Scale and zero point, one of each or along the last axis."""
    scales, zero_points = info.scales or [info.scale], info.zero_points or [info.zero_point]
    return np.array(scales, np.float32), np.array(zero_points, np.int32)
