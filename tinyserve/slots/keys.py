# SPDX-License-Identifier: Apache-2.0
"""Ed25519 keys as PEM files: PKCS #8 the private one, SubjectPublicKeyInfo the public one, as imgtool and
OpenSSL write them."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tinyserve.errors import FileSystemError, UsageError

_MOST_BYTES = 1 << 16
_WANTED = "tinyserve keys new FILE makes one, and so does imgtool keygen -t ed25519"


def new(path: Path) -> Ed25519PrivateKey:
    """Makes a key pair: the private key in ``path``, which only its owner can read, and the public one beside
    it as ``path``.pub. Raises FileSystemError; an existing file is never replaced."""
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    beside = public_path(path)
    for place in (path, beside):
        if place.exists():
            raise FileSystemError(f"{place} exists: no key is replaced", "name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise FileSystemError(f"{error.filename or path}: {error.strerror}", "name another file") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
        beside.write_bytes(public)
    except OSError as error:  # half a key is none
        path.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
        raise FileSystemError(
            f"{error.filename or path}: {error.strerror}", "free some space, or name another file"
        ) from error
    return key


def public_path(path: Path) -> Path:
    """Where ``new`` puts the public key."""
    return path.with_name(path.name + ".pub")


def private(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file. Raises FileSystemError, and UsageError for anything else."""
    try:
        key = load_pem_private_key(_read(path), None)
    except TypeError as error:
        raise UsageError(
            f"{path} is encrypted", "decrypt it: openssl pkey -in KEY -out PLAIN, and keep PLAIN safe"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} is no private key in PEM form", _WANTED) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is no Ed25519 key", _WANTED)
    return key


def public(path: Path) -> Ed25519PublicKey:
    """The public key in a PEM file, or that of the private key in it. Raises as ``private`` does."""
    data = _read(path)
    if b"PRIVATE KEY" in data:
        return private(path).public_key()
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} is no key in PEM form", _WANTED) from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} is no Ed25519 key", _WANTED)
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", _WANTED) from error
