# SPDX-License-Identifier: Apache-2.0
"""Bundles: written whole or not at all, and read back as they were."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import pytest

from tinyserve import bundle, platforms
from tinyserve.bundle import Bundle, Manifest, Samples, Source, TensorInfo
from tinyserve.errors import FileSystemError, ModelError

INPUT = TensorInfo("x", [1, 4], "int8", 0.5, -3)
OUTPUT = TensorInfo("y", [1, 2], "int8", 0.25, 0)


def manifest(name: str = "model") -> Manifest:
    return Manifest(
        name=name,
        model_sha256=hashlib.sha256(b"model").hexdigest(),
        source=Source("m.keras", "1" * 64, "keras"),
        quantize="int8",
        inputs=[INPUT],
        outputs=[OUTPUT],
        ops={"FULLY_CONNECTED": 1},
        macs=8,
        arena_bytes=16,
        samples=3,
        expected_from="test",
        tools={"tinyserve": "0"},
    )


def samples() -> Samples:
    values = np.arange(12, dtype=np.int8).reshape(3, 4)
    return Samples([values], [values[:, :2]], np.array([0, 1, 0]), [values.astype(np.float32)])


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def write(path: Path, name: str = "model") -> Bundle:
    return bundle.write(path, manifest(name), b"model", samples())


def test_a_bundle_reads_back_as_written(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b")
    read = bundle.load(tmp_path / "a" / "b")
    assert read.manifest == manifest()
    assert read.model_bytes() == b"model"
    held = read.samples()
    assert len(held) == 3
    assert held.float_inputs is not None and held.labels is not None
    np.testing.assert_array_equal(held.inputs[0], samples().inputs[0])
    np.testing.assert_array_equal(held.expected[0], samples().expected[0])
    np.testing.assert_array_equal(held.labels, [0, 1, 0])


def test_samples_without_labels_and_real_values_read_back(tmp_path: Path) -> None:
    given = samples()
    bundle.write(tmp_path / "b", manifest(), b"model", Samples(given.inputs, given.expected))
    held = bundle.load(tmp_path / "b").samples()
    assert held.labels is None
    assert held.float_inputs is None


def test_the_same_bundle_has_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / name)
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_an_older_bundle_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write(tmp_path / "b", "old")
    (tmp_path / "b" / "stale").write_text("of the old one")
    write(tmp_path / "b", "new")
    assert bundle.load(tmp_path / "b").manifest.name == "new"
    assert names(tmp_path) == ["b"]
    assert not (tmp_path / "b" / "stale").exists()


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert write(tmp_path / "b").manifest.name == "model"


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_is_not_a_bundle_is_never_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "precious"
    if kind == "file":
        path.write_text("mine")
    else:
        path.mkdir()
        (path / "thesis.txt").write_text("mine")
    with pytest.raises(FileSystemError, match="in the way"):
        write(path)
    with pytest.raises(FileSystemError, match="in the way"):
        bundle.check_place(path)
    assert (path if kind == "file" else path / "thesis.txt").read_text() == "mine"
    assert names(tmp_path) == ["precious"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_half_way_leaves_the_old_bundle_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    write(tmp_path / "b", "old")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises((FileSystemError, KeyboardInterrupt)):
        write(tmp_path / "b", "new")
    assert bundle.load(tmp_path / "b").manifest.name == "old"
    assert names(tmp_path) == ["b"]


def test_a_failure_of_the_last_rename_puts_the_old_bundle_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "b", "old")
    rename = Path.replace

    def fail_for_the_new_one(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(platforms.here(), "exchange", lambda *_: False)
    monkeypatch.setattr(Path, "replace", fail_for_the_new_one)
    with pytest.raises(FileSystemError, match="Input/output error"):
        write(tmp_path / "b", "new")
    monkeypatch.undo()
    assert bundle.load(tmp_path / "b").manifest.name == "old"
    assert names(tmp_path) == ["b"]


def test_no_permission_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, dir: Path, **__: object) -> str:  # root may write everywhere: play the system
        raise PermissionError(errno.EACCES, "Permission denied", str(dir))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(FileSystemError, match="Permission denied") as caught:
        bundle.check_place(tmp_path / "b")
    assert "permissions" in caught.value.hint


def test_a_file_where_the_parent_should_be_is_a_file_system_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileSystemError):
        bundle.check_place(tmp_path / "file" / "b")


def test_check_place_leaves_nothing_behind(tmp_path: Path) -> None:
    bundle.check_place(tmp_path / "b")
    assert names(tmp_path) == []


def test_what_is_no_bundle_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match="not a bundle"):
        bundle.load(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"{}", b"\xff", b'{"name": 3}'])
def test_a_damaged_manifest_is_a_model_error(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "b")
    (tmp_path / "b" / bundle.MANIFEST_FILE).write_bytes(content)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        bundle.load(tmp_path / "b")


@pytest.mark.parametrize("keep", [0, 30, 200])
def test_truncated_samples_are_a_model_error(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "b").path / bundle.SAMPLES_FILE
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="held-out samples"):
        bundle.load(tmp_path / "b").samples()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input_0", np.zeros((3, 5), np.int8)),
        ("input_0", np.zeros((3, 4), np.uint8)),
        ("input_0", np.int8(0)),
        ("expected_0", np.zeros((1, 2), np.int8)),
        ("expected_0", np.zeros((3, 2), ">i2")),
        ("float_input_0", np.zeros((3, 2), np.float32)),
        ("float_input_0", np.zeros((3, 4), "U1")),
        ("label", np.zeros(2, np.int64)),
    ],
)
def test_samples_that_are_not_the_model_s_are_a_model_error(
    tmp_path: Path, name: str, value: np.ndarray
) -> None:
    path = write(tmp_path / "b").path / bundle.SAMPLES_FILE
    with np.load(path) as file:
        arrays = dict(file)
    arrays[name] = value
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match="held-out samples"):
        bundle.load(tmp_path / "b").samples()


def test_quantize_rounds_half_away_from_zero_and_saturates() -> None:
    info = TensorInfo("x", [1, 6], "int8", 0.5, 10)
    values = np.array([0.25, -0.25, 0.74, 1000.0, -1000.0, 0.0], np.float32)
    assert bundle.quantize(values, info).tolist() == [11, 9, 11, 127, -128, 10]


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("int8", [1, -1, 1, 127, -128, -128]),
        ("uint16", [1, 0, 1, 3000, 0, 0]),
        ("int32", [1, -1, 1, 3000, -(2**31), -(2**31)]),
        ("int64", [1, -1, 1, 3000, -(2**31), -(2**31)]),
    ],
)
def test_plain_integers_are_rounded_and_saturated_by_the_same_rule(dtype: str, stored: list[int]) -> None:
    values = np.array([0.5, -0.5, 1.49, 3000.0, -1e20, np.nan], np.float32)
    assert bundle.quantize(values, TensorInfo("x", [6], dtype, 0.0, 0)).tolist() == stored
    whole = np.array([-5, 7])
    assert bundle.quantize(whole, TensorInfo("x", [2], "int64", 0.0, 0)).tolist() == [-5, 7]


def test_dequantize_undoes_quantize_within_half_a_step() -> None:
    values = np.linspace(-60, 60, 999, dtype=np.float32)
    back = bundle.dequantize(bundle.quantize(values, INPUT), INPUT)
    assert np.abs(back - values).max() <= INPUT.scale / 2 + 1e-6


def test_tensors_without_a_scale_are_cast() -> None:
    info = TensorInfo("x", [1, 2], "float32")
    assert bundle.quantize(np.array([1, 2]), info).dtype == np.float32


@pytest.mark.parametrize(("shape", "sample"), [([1, 8, 8, 1], (8, 8, 1)), ([1], ()), ([40], (40,)), ([], ())])
def test_a_sample_has_the_shape_without_the_batch(shape: list[int], sample: tuple[int, ...]) -> None:
    assert bundle.sample_shape(TensorInfo("x", shape, "int8")) == sample


def test_features_with_scales_of_their_own() -> None:
    info = TensorInfo("x", [1, 2], "int8", 0.5, 10, [0.5, 100.0], [10, -3000])
    values = np.array([[1.0, 300_000.0], [1.3, 312_000.0], [500.0, 0.0]], np.float32)
    stored = bundle.quantize(values, info)
    assert stored.tolist() == [[12, 0], [13, 120], [127, -128]]
    assert bundle.dequantize(stored[:2], info).tolist() == [[1.0, 300_000.0], [1.5, 312_000.0]]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a\nb"}, {"name": ""}, {"name": "\x1b[31m"}, {"name": "x" * 10_000},
        {"mlperf_id": '"); system("id"); ("'}, {"mlperf_id": "kws01\n"}, {"model_sha256": "../.."},
        {"arena_bytes": -1}, {"macs": 10**30}, {"inputs": [{"name": "x", "shape": [-1], "dtype": "int8"}]},
        {"inputs": [{"name": "x", "shape": [1], "dtype": "int8 evil"}]},
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_that_no_conversion_would_write_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    path = write(tmp_path / "b").path / bundle.MANIFEST_FILE
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | change))
    with pytest.raises(ModelError, match=r"manifest\.json") as caught:
        bundle.load(tmp_path / "b")
    assert str(caught.value).isprintable() or "\x1b" not in str(caught.value)


def _killed_after(calls: int, path: Path) -> None:
    """A process that writes a new bundle, and is gone after that many of the system's renames."""
    system, left = platforms.here(), [calls]

    def counted(call: Callable[[Path, Path], Any]) -> Callable[[Path, Path], Any]:
        def run(one: Path, other: Path) -> Any:
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            return call(one, other)

        return run

    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        with (
            mock.patch.object(system, "exchange", counted(system.exchange)),
            mock.patch.object(system, "replace", counted(system.replace)),
            mock.patch.object(bundle.shutil, "rmtree", lambda *_, **__: os._exit(9)),
        ):
            write(path, "new")
    finally:
        os._exit(1)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need two steps")
@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_process_that_is_killed_leaves_the_old_bundle_or_the_new_one(calls: int, tmp_path: Path) -> None:
    write(tmp_path / "m", "old")
    _killed_after(calls, tmp_path / "m")
    assert bundle.load(tmp_path / "m").manifest.name == ("new" if calls else "old")
    assert len(names(tmp_path)) == 2
    write(tmp_path / "m", "again")
    assert bundle.load(tmp_path / "m").manifest.name == "again"


def test_without_a_call_that_exchanges_bundles_are_replaced_in_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platforms.here(), "exchange", lambda *_: False)
    for name in ("old", "new"):
        write(tmp_path / "m", name)
        assert bundle.load(tmp_path / "m").manifest.name == name
    assert names(tmp_path) == ["m"]


def test_a_model_that_was_swapped_is_not_the_manifests(tmp_path: Path) -> None:
    made = write(tmp_path / "b")
    made.model_path.write_bytes(b"another model")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        bundle.load(tmp_path / "b").model_bytes()


@pytest.mark.parametrize("stem", ['a"b', "new\nline", "\x1b[31m", "\udcff", "x" * 1000])
def test_any_files_name_gives_a_name_that_a_manifest_may_have(stem: str) -> None:
    bundle.check_name(bundle.name_of(Path(f"{stem}.tflite")))
