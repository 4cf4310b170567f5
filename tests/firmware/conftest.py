# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.conversation import Conversation
from tests.firmware.tiny_model import tiny_model
from tests.support import cache
from tinyserve import boards
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.render import render


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with cache.own(tmp_path_factory):
        yield


@pytest.fixture(scope="session")
def host_firmware(session_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """The tiny model's firmware as a program of this computer."""
    directory: Path = tmp_path_factory.mktemp("host")
    return build(render(tiny_model(), boards.load("host"), directory, model_id="tiny01"))


@pytest.fixture
def device(host_firmware: Firmware) -> Iterator[Conversation]:
    """A conversation with a fresh device, past its greeting."""
    with Conversation(host_firmware.elf) as conversation:
        conversation.greeting = conversation.read_answer()
        yield conversation
