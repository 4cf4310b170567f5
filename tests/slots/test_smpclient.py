# SPDX-License-Identifier: Apache-2.0
"""smpclient from PyPI, unmodified, against the twin on a pseudo-terminal: the whole way of an update."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from queue import Queue

import pytest
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.image_management import ImageErase, ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import (
    EchoWrite,
    MCUMgrParametersRead,
    OSApplicationInfoRead,
    ResetWrite,
)
from smpclient.requests.statistics_management import GroupData, ListOfGroups
from smpclient.transport.serial import SMPSerialTransport

from tests.slots.conftest import Workshop
from tinyserve.devices.pty import serve


@pytest.fixture
def port(m0: Workshop) -> Iterator[str]:
    """The path of a pseudo-terminal that a twin without a model is on."""
    device = m0.device()
    over = threading.Event()
    paths: Queue[str] = Queue()
    thread = threading.Thread(target=serve, args=(device, paths.put, over.is_set), daemon=True)
    thread.start()
    yield paths.get(timeout=60)
    over.set()
    thread.join(60)


def test_smpclient_uploads_tests_resets_and_confirms(port: str, m0: Workshop) -> None:
    image = m0.images(1)[0]

    async def talk() -> None:
        async with SMPClient(SMPSerialTransport(), port, timeout_s=30) as client:
            answer = await client.request(EchoWrite(d="here"))
            assert success(answer) and answer.r == "here"
            parameters = await client.request(MCUMgrParametersRead())
            assert success(parameters) and parameters.buf_size == 1024
            info = await client.request(OSApplicationInfoRead(format="a"))
            assert success(info) and info.output.startswith("tinyserve cortex-m0 ")
            empty = await client.request(ImageStatesRead())
            assert success(empty) and empty.images == []
            offsets = [offset async for offset in client.upload(image.data)]
            assert offsets[-1] == len(image.data)
            tested = await client.request(ImageStatesWrite(hash=image.hash), timeout_s=60)
            assert success(tested) and tested.images[0].active and not tested.images[0].confirmed
            assert success(await client.request(ResetWrite()))
            confirmed = await client.request(ImageStatesWrite(confirm=True), timeout_s=60)
            assert success(confirmed) and confirmed.images[0].confirmed
            assert confirmed.images[0].version == "1.2.1.0"
            assert confirmed.images[0].hash == image.hash
            groups = await client.request(ListOfGroups())
            assert success(groups) and groups.stat_list == ("health",)
            counters = await client.request(GroupData(name="health"))
            assert success(counters) and counters.fields["resets"] == 1
            assert success(await client.request(ImageErase(), timeout_s=60))

    asyncio.run(asyncio.wait_for(talk(), 120))


def test_smpclient_reads_what_the_device_refuses(port: str, m0: Workshop) -> None:
    data = bytearray(m0.images(1)[0].data)
    data[100] ^= 1

    async def talk() -> None:
        async with SMPClient(SMPSerialTransport(), port, timeout_s=30) as client:
            async for _ in client.upload(bytes(data)):
                pass
            refused = await client.request(ImageStatesWrite(hash=m0.images(1)[0].hash), timeout_s=60)
            assert not success(refused)
            assert "INVALID_HASH" in repr(refused)
            unknown = await client.request(GroupData(name="nothing"))
            assert not success(unknown)

    asyncio.run(asyncio.wait_for(talk(), 120))
