# SPDX-License-Identifier: Apache-2.0
"""The process of a twin: `python -m tinyserve.serve.engines.twin_process`, with frames on its standard input
and output."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tinyserve.errors import TinyserveError
from tinyserve.serve.engines import frames
from tinyserve.serve.engines.device import DeviceEngine

NICE = 5
"""Twins wait for the server, not it for them: else many of them make it late with everything that it
promised."""


@dataclass(frozen=True)
class _Built:
    elf: Path


def main() -> None:
    """Until standard input ends."""
    asked = os.fdopen(os.dup(0), "rb")
    answered = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an emulator prints is no frame
    if hasattr(os, "nice"):
        os.nice(NICE)
    try:
        opening = frames.read(asked, frames.Opening)
        engine = DeviceEngine(opening.spec, opening.model_sha256, _Built(Path(opening.elf)))
    except TinyserveError as error:
        frames.write(answered, frames.Answered(error=error.message, hint=error.hint))
        return
    try:
        frames.write(answered, frames.Answered())
        frames.write(answered, engine.identity)
        _serve(engine, asked, answered)
    finally:
        engine.close()


def _serve(engine: DeviceEngine, asked: IO[bytes], answered: IO[bytes]) -> None:
    while True:
        try:
            one = frames.read_order(asked)
        except EOFError:
            return
        try:
            answer = _answer(engine, one)
        except TinyserveError as error:
            answer = frames.Answered(error=error.message, hint=error.hint)
        frames.write(answered, answer)


def _answer(engine: DeviceEngine, one: frames.Asked | frames.Keep) -> frames.Answered:
    if isinstance(one, frames.Keep):
        engine.keep()
        return frames.Answered()
    ran = engine.run(one.sample, one.fresh)
    return frames.Answered(ran.outputs, ran.link_s, ran.compute_s, ran.ticks, ran.events)


if __name__ == "__main__":
    main()
