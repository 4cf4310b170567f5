# SPDX-License-Identifier: Apache-2.0
"""tinyserve keys"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH


@click.group(name="keys")
def command() -> None:
    """Make and show the keys that model images are signed with."""


@command.command(name="new")
@click.argument("file", type=PATH)
def new(*, file: Path) -> None:
    """Make an Ed25519 key pair: FILE, which stays secret, and FILE.pub for firmware.

    Whoever has FILE can put any model on every device that trusts it. No existing file is replaced.
    """
    from tinyserve.slots import keys
    from tinyserve.slots.image import key_hash

    made = keys.new(file)
    echo(f"{file}: keep it secret, and keep a copy of it")
    echo(f"{keys.public_path(file)}: for firmware (tinyserve build --slots)")
    echo(f"key {key_hash(made.public_key()).hex()[:16]}")


@command.command(name="show")
@click.argument("file", type=PATH)
def show(*, file: Path) -> None:
    """Show the public half of a key, and the hash by which images and devices name it."""
    from tinyserve.slots import keys
    from tinyserve.slots.image import key_bytes, key_hash

    public = keys.public(file)
    echo(f"public key  {key_bytes(public).hex()}")
    echo(f"key hash    {key_hash(public).hex()}")
