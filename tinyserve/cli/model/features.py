# SPDX-License-Identifier: Apache-2.0
"""tinyserve features"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH
from tinyserve.words import counted

if TYPE_CHECKING:
    import numpy.typing as npt

    from tinyserve.bundle import TensorInfo
    from tinyserve.datasets.named import Reading
    from tinyserve.features.prepared import Piece
    from tinyserve.features.spec import Spec

_PIECE_BYTES = 16 << 20


def _data(function: Callable[..., Any]) -> Callable[..., Any]:
    """--data, and how samples are made of it."""
    data = click.option(
        "--data", required=True, metavar="DATA", help="Raw samples: arrays, Parquet, CSV, WAV, images."
    )
    return data(options.reading(function))


@click.group(name="features")
def command() -> None:
    """Turn raw samples into what a model takes: see the steps, apply them, fit them, find skew.

    SPEC is a features.toml. `tinyserve convert --features SPEC` puts the steps into the model.
    """


@command.command(name="show")
@click.argument("spec", type=PATH)
def show(*, spec: Path) -> None:
    """Show the shape, type and rate behind each step."""
    from tinyserve.cli.console import echo, stdout
    from tinyserve.features import spec as specs
    from tinyserve.features.fit import widest, with_placeholders
    from tinyserve.features.model import written
    from tinyserve.report.text.features import steps_table

    given = specs.load(spec)
    stdout().print(steps_table(written(with_placeholders(given))[1]))
    for name, most in widest(given).items():
        said = f"'{name}' has up to {counted(most, 'value')}"
        echo(f"{said}: how many, `tinyserve features fit` finds in the data")


@command.command(name="apply")
@click.argument("spec", type=PATH)
@_data
@click.option(
    "-o", "--output", type=PATH, required=True, metavar="FILE", help="The features: .npz or .parquet (x, y)."
)
def apply(*, spec: Path, output: Path, data: str, reading: Reading) -> None:
    """Compute the features of raw samples, for training."""
    from tinyserve import files, npz
    from tinyserve.cli.console import echo
    from tinyserve.errors import UsageError
    from tinyserve.features import prepared
    from tinyserve.features import spec as specs
    from tinyserve.features.run import FeatureRunner

    if output.suffix.lower() not in (".npz", ".parquet"):
        raise UsageError(f"-o {output}: features are written as .npz or .parquet", f"-o {output}.npz")
    given = specs.load(spec)
    files.check_writable(output)
    if output.suffix.lower() == ".parquet":
        shape = prepared.write(output, _features(given, data, reading))
    else:
        raw, labels = _raw(given, data, reading)
        made = FeatureRunner(given).run(raw)
        shape = made.shape
        files.write(output, npz.packed({"x": made} if labels is None else {"x": made, "y": labels}))
    echo(f"{output}: {' × '.join(map(str, shape))} float32")


@command.command(name="fit")
@click.argument("spec", type=PATH)
@_data
@click.option(
    "-o", "--output", type=PATH, required=True, metavar="FILE", help="The specification with numbers (.json)."
)
@click.option("--scheduler", default="", metavar="ADDRESS", help="A Dask cluster: tcp://HOST:PORT.")
def fit(*, spec: Path, output: Path, data: str, reading: Reading, scheduler: str) -> None:
    """Take the numbers of steps with `fit` from training data."""
    from tinyserve import files
    from tinyserve.cli.console import echo
    from tinyserve.errors import UsageError
    from tinyserve.features import spec as specs
    from tinyserve.features.fit import fitted_to

    if output.suffix != ".json":
        raise UsageError(f"-o {output}: a fitted specification is JSON", f"-o {output.with_suffix('.json')}")
    given = specs.load(spec)
    found = fitted_to(given, lambda: _pieces(given, data, reading), scheduler=scheduler)
    assert found.fitted is not None
    files.write(output, specs.encode(found))
    echo(f"{output}: fitted to {counted(found.fitted.samples, 'sample')}")


@command.command(name="check")
@click.argument("spec", type=PATH)
@_data
@click.option(
    "--prepared",
    required=True,
    type=PATH,
    metavar="FILE",
    help="Features used in training: .npz (x) or .npy.",
)
def check(*, spec: Path, prepared: Path, data: str, reading: Reading) -> None:
    """Compare features made elsewhere with ours, and say what explains a difference.

    Exit status 3 where they differ.
    """
    from tinyserve.cli.console import stdout
    from tinyserve.errors import BudgetError
    from tinyserve.features import spec as specs
    from tinyserve.features.skew import compared
    from tinyserve.report.text.features import skew_table

    given = specs.load(spec)
    raw, _ = _raw(given, data, reading)
    skew = compared(given, raw, _prepared(prepared))
    stdout().print(skew_table(skew))
    if not skew.is_same:
        raise BudgetError("what was trained with is not what the device computes", skew.explanation)


def _raw(spec: Spec, data: str, reading: Reading) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Raw samples as the specification's input takes them, and their labels. Raises DataError."""
    from tinyserve.datasets import stream

    read = stream.load(data, [_input(spec)], reading.in_front_of_features(spec.input.rate_hz))
    return read.inputs[0], read.labels


def _features(spec: Spec, data: str, reading: Reading) -> Iterator[Piece]:
    """Features and labels of some samples at a time, in order. Raises DataError."""
    import numpy as np

    from tinyserve.errors import DataError
    from tinyserve.features.run import FeatureRunner

    known: list[Any] = []
    labelled: set[bool] = set()

    def raw() -> Iterator[npt.NDArray[Any]]:
        for samples, labels in _parts(spec, data, reading):
            labelled.add(labels is not None)
            if len(labelled) > 1:
                raise DataError(
                    f"{data}: only some of its files have labels", "labels in all of them, or none"
                )
            known.extend([] if labels is None else labels)
            yield samples

    for made in FeatureRunner(spec).pieces(raw()):
        yield made, np.asarray(known[: len(made)]) if True in labelled else None
        del known[: len(made)]


def _pieces(spec: Spec, data: str, reading: Reading) -> Iterator[npt.NDArray[Any]]:
    """Raw samples a piece at a time; as ``_raw`` else."""
    return (samples for samples, _ in _parts(spec, data, reading))


def _parts(spec: Spec, data: str, reading: Reading) -> Iterator[Piece]:
    """Raw samples and their labels a piece at a time; as ``_raw`` else."""
    from tinyserve.datasets import generator, stream
    from tinyserve.datasets.readers import RANDOM

    if data == RANDOM or generator.is_name(data):
        yield _raw(spec, data, reading)
        return
    info = _input(spec)
    samples = max(1, _PIECE_BYTES // (8 * math.prod(info.shape)))
    how = reading.in_front_of_features(spec.input.rate_hz)
    for part in stream.open_stream(Path(data), [info], samples, how).pieces:
        read = part.read()
        yield read.inputs[0], read.labels


def _input(spec: Spec) -> TensorInfo:
    from tinyserve.bundle import TensorInfo

    return TensorInfo(spec.input.name or "samples", [1, *spec.input.shape], spec.input.type)


def _prepared(path: Path) -> npt.NDArray[Any]:
    """The one array of features of a file. Raises DataError."""
    from tinyserve.datasets import arrays
    from tinyserve.errors import DataError

    if not path.exists():
        raise DataError(f"{path}: no such file", "numpy.savez(path, x=features)")
    named = (arrays.read_npz(path) if path.suffix.lower() == ".npz" else arrays.read_npy(path)).arrays
    found = list(named.values()) if len(named) == 1 else [named[name] for name in ("x",) if name in named]
    if not found or found[0].dtype.kind not in "fiu" or found[0].ndim < 2 or not len(found[0]):
        raise DataError(f"{path}: no array 'x' of features, samples first", "numpy.savez(path, x=features)")
    return found[0]
