# SPDX-License-Identifier: Apache-2.0
"""numpy files that claim more than they hold, or hold more than there is memory for, are refused unread."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tinyserve import npz, platforms
from tinyserve.bundle import TensorInfo
from tinyserve.datasets.readers import load
from tinyserve.errors import DataError


def header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def bomb(path: Path, shape: tuple[int, ...]) -> Path:
    """A .npz whose one array is all zeros of that shape, packed a thousand times smaller."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as file:
        file.write(header(shape))
        for _ in range(4 * int(np.prod(shape)) >> 20):
            file.write(bytes(1 << 20))
    return path


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    arrays = {"x": np.arange(12.0).reshape(3, 4), "label": np.array([1, 2, 3]), "none": np.zeros((0, 2))}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = npz.load(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    np.save(tmp_path / "a.npy", arrays["x"])
    np.testing.assert_array_equal(npz.load_array(tmp_path / "a.npy"), arrays["x"])


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bomb(tmp_path / "bomb.npz", (64, 1 << 18))
    monkeypatch.setattr(type(platforms.here()), "available_bytes", lambda self: 100 << 20)
    assert path.stat().st_size < 1 << 18
    with pytest.raises(ValueError, match="unpacks to 64 MiB"):
        npz.load(path)
    with pytest.raises(DataError, match="unpacks to 64 MiB"):
        load(path, [TensorInfo("x", [1, 1 << 18], "float32")])


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 62, 4), (3,), (-1,), (0,)])
def test_a_header_that_claims_another_size_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    data = header(shape) + bytes(16)
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(ValueError, match="claims the shape"):
        npz.load_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", data)
    with pytest.raises(ValueError, match="claims the shape"):
        npz.load(tmp_path / "a.npz")


def test_a_huge_header_and_very_many_arrays_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x02\x00" + (1 << 30).to_bytes(4, "little") + b"{" * 100)
    with pytest.raises(ValueError):
        npz.load_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for index in range(10_001):
            archive.writestr(f"{index}", b"")
    with pytest.raises(ValueError, match="10001 arrays"):
        npz.load(tmp_path / "a.npz")
