# SPDX-License-Identifier: Apache-2.0
"""Data sets in pieces: the same samples as when they are read whole, in little memory."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tinyserve.bundle import TensorInfo
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.named import Reading
from tinyserve.datasets.stream import open_stream
from tinyserve.errors import DataError

VECTOR = TensorInfo("x", [1, 3], "float32")
IMAGE = TensorInfo("image", [1, 2, 2, 1], "float32")
VALUES = np.random.default_rng(0).uniform(-1, 1, (25, 3)).astype(np.float32)
LABELS = np.arange(25) % 4


def read(path: Path, *inputs: TensorInfo, piece: int = 10, reading: Reading | None = None) -> list[Dataset]:
    stream = open_stream(path, inputs or [VECTOR], piece, *([reading] if reading else []))
    pieces = [part.read() for part in stream.pieces]
    assert sum(map(len, pieces)) == stream.total
    return pieces


def together(pieces: list[Dataset], index: int = 0) -> np.ndarray:
    return np.concatenate([piece.inputs[index] for piece in pieces])


def labels(pieces: list[Dataset]) -> list[int]:
    return [int(label) for piece in pieces if piece.labels is not None for label in piece.labels]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_in_pieces(tmp_path: Path, save: object) -> None:
    save(tmp_path / "d.npz", x=VALUES, y=LABELS)  # type: ignore[operator]
    pieces = read(tmp_path / "d.npz")
    assert [len(piece) for piece in pieces] == [10, 10, 5]
    np.testing.assert_array_equal(together(pieces), VALUES)
    assert labels(pieces) == LABELS.tolist()


def test_npy_in_pieces(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", VALUES)
    np.testing.assert_array_equal(together(read(tmp_path / "d.npy")), VALUES)


def test_parquet_with_a_column_per_feature_or_a_list_column(tmp_path: Path) -> None:
    columns = {f"f{i}": VALUES[:, i] for i in range(3)}
    pq.write_table(pa.table({**columns, "label": LABELS}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": VALUES.tolist(), "label": LABELS}), tmp_path / "b.parquet")
    for name in ("a", "b"):
        pieces = read(tmp_path / f"{name}.parquet")
        np.testing.assert_array_equal(together(pieces), VALUES)
        assert labels(pieces) == LABELS.tolist()


def test_parquet_with_lists_of_one_length_of_any_kind(tmp_path: Path) -> None:
    rows = VALUES.reshape(25, 3)
    nested = pa.array([[[float(value)] for value in row] for row in rows])
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), 3)
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(rows)
    for index, column in enumerate((nested, fixed, tensors)):
        path = tmp_path / f"{index}.parquet"
        pq.write_table(pa.table({"x": column}), path)
        np.testing.assert_array_equal(together(read(path)), VALUES)


@pytest.mark.parametrize("rows", [[[1.0, 2.0, 3.0], [1.0, 2.0]], [[1.0, 2.0, 3.0], None]])
def test_parquet_with_uneven_rows_is_named(tmp_path: Path, rows: list[list[float] | None]) -> None:
    pq.write_table(pa.table({"x": rows}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"samples 0 to 1.*column 'x'"):
        read(tmp_path / "d.parquet")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"x": ["a", "b"]}, "not numbers"),
        ({"f0": [1.0], "f1": [2.0]}, r"takes \(N, 3\)"),
        ({"y": [1]}, "no column but the label"),
    ],
)
def test_parquet_with_wrong_columns(tmp_path: Path, columns: dict[str, list[object]], said: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=said):
        read(tmp_path / "d.parquet")


def test_damage_within_a_parquet_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    columns = {f"f{i}": VALUES[:, i] for i in range(3)}
    pq.write_table(pa.table(columns), path, write_page_checksum=True, use_dictionary=False)
    damaged = bytearray(path.read_bytes())
    place = damaged.find(VALUES[10:12, 1].tobytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"d\.parquet: cannot be read as Parquet"):
        read(path)


def test_a_directory_of_files_is_one_data_set(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=VALUES[:12], y=LABELS[:12])
    pq.write_table(pa.table({"x": VALUES[12:].tolist(), "label": LABELS[12:]}), tmp_path / "b.parquet")
    (tmp_path / "_SUCCESS").touch()
    pieces = read(tmp_path)
    assert [len(piece) for piece in pieces] == [10, 2, 10, 3]
    np.testing.assert_array_equal(together(pieces), VALUES)
    assert labels(pieces) == LABELS.tolist()


def test_parquet_of_several_inputs_and_flat_images(tmp_path: Path) -> None:
    flat = np.arange(100, dtype=np.float32).reshape(25, 4)
    pq.write_table(pa.table({"image": flat.tolist(), "x": VALUES.tolist()}), tmp_path / "d.parquet")
    pieces = read(tmp_path / "d.parquet", VECTOR, IMAGE)
    np.testing.assert_array_equal(together(pieces, 1), flat.reshape(25, 2, 2, 1))
    np.testing.assert_array_equal(together(pieces, 0), VALUES)


def test_images_in_pieces(tmp_path: Path) -> None:
    for index in range(5):
        folder = tmp_path / f"class{index % 2}"
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.full((2, 2), 50 * index, np.uint8)).save(folder / f"{index}.png")
    pieces = read(tmp_path, IMAGE, piece=2, reading=Reading(pixel_range=(0, 255)))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    assert labels(pieces) == [0, 0, 0, 1, 1]
    assert together(pieces)[:, 0, 0, 0].tolist() == [0, 100, 200, 50, 150]


def test_images_are_opened_when_their_piece_is_read(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no image")
    good, bad = open_stream(tmp_path, [IMAGE], 1, Reading(pixel_range=(0, 255))).pieces
    assert len(good.read()) == len(good) == 1
    with pytest.raises(DataError, match=r"b\.png: cannot be read as an image"):
        bad.read()


def test_other_data_is_read_whole_and_cut(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("\n".join(",".join(map(str, row)) for row in VALUES.tolist()))
    np.testing.assert_allclose(together(read(tmp_path / "d.csv")), VALUES, rtol=1e-6)


def test_memory_is_that_of_a_piece(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((400_000, 3), np.float32))  # 4.8 MB
    tracemalloc.start()
    for part in open_stream(tmp_path / "d.npz", [VECTOR], 1000).pieces:
        part.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_500_000


def test_a_bad_sample_is_named_with_its_piece(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[17, 1] = np.nan
    np.savez(tmp_path / "d.npz", x=values)
    with pytest.raises(DataError, match=r"samples 10 to 19.*the first is sample 7"):
        read(tmp_path / "d.npz")


@pytest.mark.parametrize("name", ["d.npz", "d.npy", "d.parquet"])
@pytest.mark.parametrize("keep", [0, 20, 200])
def test_truncated_files(tmp_path: Path, name: str, keep: int) -> None:
    path = tmp_path / name
    if name == "d.npz":
        np.savez(path, x=VALUES)
    elif name == "d.npy":
        np.save(path, VALUES)
    else:
        pq.write_table(pa.table({"x": VALUES.tolist()}), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=name):
        read(path)


@pytest.mark.parametrize("name", ["d.npz", "d.npy"])
def test_arrays_of_objects_are_called_that_and_never_loaded(tmp_path: Path, name: str) -> None:
    objects = np.array([{}, [1], "x"], object)
    if name == "d.npz":
        np.savez(tmp_path / name, x=objects)
    else:
        np.save(tmp_path / name, objects)
    with pytest.raises(DataError, match="holds Python objects") as caught:
        read(tmp_path / name)
    assert "numeric arrays" in caught.value.hint


def test_arrays_of_different_length_and_empty_ones(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=VALUES, y=LABELS[:3])
    with pytest.raises(DataError, match="differ in length"):
        read(tmp_path / "d.npz")
    np.savez(tmp_path / "d.npz", x=VALUES[:0])
    with pytest.raises(DataError, match="no samples"):
        read(tmp_path / "d.npz")
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "missing.npz")


@pytest.mark.parametrize("shape", [(1, 1 << 40), (4, -1), (1 << 40, 3)])
def test_a_header_that_claims_what_is_not_there_is_refused_before_it_is_read(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    path = tmp_path / "claims.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(48))
    with pytest.raises(DataError, match=r"x\.npy claims the shape"):
        read(path)
