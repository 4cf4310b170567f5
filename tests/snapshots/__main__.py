# SPDX-License-Identifier: Apache-2.0
"""Writes the snapshots anew (`make snapshots`): read the difference before you commit it."""

from __future__ import annotations

from tests.snapshots.printed import EXPECTED, printed


def main() -> None:
    """Also removes those of what is printed no more."""
    texts = printed()
    EXPECTED.mkdir(exist_ok=True)
    for path in EXPECTED.iterdir():
        if path.name.removesuffix(".snapshot") not in texts:
            path.unlink()
    for name, text in texts.items():
        (EXPECTED / f"{name}.snapshot").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
