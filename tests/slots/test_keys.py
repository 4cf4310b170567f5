# SPDX-License-Identifier: Apache-2.0
"""Key files: what is made, what is taken, and what is refused with a reason."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.slots.conftest import KEY
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.slots import keys
from tinyserve.slots.image import key_bytes


def test_a_new_key_is_its_owners_alone_and_reads_back(tmp_path: Path) -> None:
    made = keys.new(tmp_path / "key.pem")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    wanted = key_bytes(made.public_key())
    assert key_bytes(keys.private(tmp_path / "key.pem").public_key()) == wanted
    assert key_bytes(keys.public(tmp_path / "key.pem.pub")) == wanted
    assert key_bytes(keys.public(tmp_path / "key.pem")) == wanted


@pytest.mark.parametrize("name", ["key.pem", "key.pem.pub"])
def test_no_key_is_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(FileSystemError, match="no key is replaced"):
        keys.new(tmp_path / "key.pem")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(FileSystemError):
        keys.private(path)
    path.write_bytes(b"\x00rubbish")
    with pytest.raises(UsageError, match="PEM"):
        keys.private(path)
    with pytest.raises(UsageError, match="PEM"):
        keys.public(path)
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(UsageError, match="encrypted"):
        keys.private(path)
    other = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UsageError, match="Ed25519"):
        keys.private(path)
