# SPDX-License-Identifier: Apache-2.0
"""What computes a batch: this computer's cores, twins, a board, or an endpoint of the Open Inference
Protocol."""

from __future__ import annotations

import http.client
import queue
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.bench.accuracy.batches import Work, execute, quantized
from tinyserve.bundle import Bundle
from tinyserve.documents import from_json
from tinyserve.errors import DataError, DeviceError, UsageError
from tinyserve.serve.config import MemberSpec
from tinyserve.serve.connecting import authorization, complaint, connect
from tinyserve.serve.engines import Engine, Firmwares, open_engine
from tinyserve.serve.request import Sample
from tinyserve.serve.rest.oip import HEADER_LENGTH
from tinyserve.serve.served import DATATYPES, Served, samples_of

Array = npt.NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Computed:
    """The output (N, ...) of a piece in the model's type, and its inputs."""

    first: int
    output: Array
    inputs: list[Array]


class Runner(ABC):
    """``name`` is what the manifest says of where it ran."""

    name: str

    @abstractmethod
    def run(self, works: Iterable[Work], output: int) -> Iterator[Computed]:
        """The pieces' outputs, in their order."""


@dataclass(frozen=True)
class Host(Runner):
    """This computer's cores, or a Dask cluster's (``scheduler``)."""

    made: Bundle
    jobs: int | None = None
    scheduler: str = ""

    @property
    def name(self) -> str:  # type: ignore[override]
        return "Dask cluster" if self.scheduler else "host"

    def run(self, works: Iterable[Work], output: int) -> Iterator[Computed]:
        for done in execute(self.made, works, self.jobs, self.scheduler, output=output):
            yield Computed(done.first, done.output, quantized(done.samples, self.made.manifest.inputs))


@dataclass(frozen=True)
class Devices(Runner):
    """Twins of a board, or the board at a port: as many as ``specs``, each with a thread of its own."""

    made: Bundle
    specs: list[MemberSpec]

    @property
    def name(self) -> str:  # type: ignore[override]
        one = self.specs[0]
        return f"twin {one.board}" if one.kind == "twin" else f"{one.board} at {one.link}"

    def run(self, works: Iterable[Work], output: int) -> Iterator[Computed]:
        model = Served("model", "1", self.made)
        with ExitStack() as stack:
            idle: queue.SimpleQueue[Engine] = queue.SimpleQueue()
            firmwares = Firmwares()
            for spec in self.specs:
                engine = open_engine(spec, model, firmwares)
                stack.callback(engine.close)
                idle.put(engine)
            yield from self._run(works, output, model, idle)

    def _run(
        self, works: Iterable[Work], output: int, model: Served, idle: queue.SimpleQueue[Engine]
    ) -> Iterator[Computed]:
        info = model.outputs[output]

        def infer(sample: Sample) -> bytes:
            engine = idle.get()
            try:
                return engine.run(sample, model.stateful).outputs[output]
            finally:
                idle.put(engine)

        with ThreadPoolExecutor(len(self.specs), thread_name_prefix="predict") as pool:
            for work in works:
                inputs = quantized(work.part.read(), model.inputs)
                raw = _together(pool, infer, _rows(inputs, model))
                yield Computed(work.first, _shaped(raw, info, len(work.part)), inputs)


def members(board: str, link: str, count: int) -> list[MemberSpec]:
    """``count`` twins of a board, or the board at a port."""
    return [
        MemberSpec(name=f"{board}-{number + 1}", model="model", link=link, board=board)
        for number in range(count)
    ]


def _rows(inputs: list[Array], model: Served) -> list[Sample]:
    """Each sample's bytes, whether or not the model has a batch axis."""
    if model.batches:
        return samples_of(inputs, model)
    return [
        tuple(np.ascontiguousarray(array[index]).tobytes() for array in inputs)
        for index in range(len(inputs[0]))
    ]


def _together(pool: ThreadPoolExecutor, function: Callable[[T], bytes], parts: Iterable[T]) -> bytes:
    """What ``function`` gives for each part, in order; after a fault no further one is begun."""
    futures = [pool.submit(function, part) for part in parts]
    try:
        return b"".join(future.result() for future in futures)
    finally:
        for future in futures:
            future.cancel()


def _shaped(raw: bytes, info: Any, count: int) -> Array:
    shape = info.shape[1:] if info.shape[:1] == [1] else info.shape
    return np.frombuffer(raw, info.dtype).reshape(count, *shape)


class _Answer(msgspec.Struct):
    parameters: dict[str, bool | int | float | str] = {}
    retry_after_ms: int = 1000


@dataclass(frozen=True)
class Endpoint(Runner):
    """An endpoint that serves the same model (ours says its hash with each answer, and another one is
    refused).

    Refused requests are sent again when the endpoint says so, for ``patience_s`` at most.
    """

    made: Bundle
    url: str
    model: str
    connections: int = 4
    batch: int = 64
    patience_s: float = 300.0
    token_file: Path | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.url

    def run(self, works: Iterable[Work], output: int) -> Iterator[Computed]:
        model = Served(self.model, "1", self.made)
        if not model.batches:
            raise UsageError(f"{self.url}: the model has no sample axis", "run it on this computer")
        info = model.outputs[output]
        headers = authorization(self.token_file)

        def ask(inputs: list[Array]) -> bytes:
            return self._ask(idle, inputs, model, info.name, headers)

        idle: queue.SimpleQueue[http.client.HTTPConnection] = queue.SimpleQueue()
        with ThreadPoolExecutor(self.connections, thread_name_prefix="predict") as pool, ExitStack() as stack:
            for _ in range(self.connections):
                connection = connect(self.url, "--on", self.patience_s)
                stack.callback(connection.close)
                idle.put(connection)
            for work in works:
                inputs = quantized(work.part.read(), model.inputs)
                cuts = range(0, len(work.part), self.batch)
                batches = [[one[cut : cut + self.batch] for one in inputs] for cut in cuts]
                raw = _together(pool, ask, batches)
                yield Computed(work.first, _shaped(raw, info, len(work.part)), inputs)

    def _ask(
        self, idle: queue.SimpleQueue[http.client.HTTPConnection], inputs: list[Array], model: Served,
        output: str, headers: dict[str, str],
    ) -> bytes:  # fmt: skip
        head, tail = _body(inputs, model, output)
        path = f"/v2/models/{quote(self.model, safe='')}/infer"
        deadline = time.monotonic() + self.patience_s
        sent = {**headers, HEADER_LENGTH: str(len(head))}
        connection = idle.get()
        try:
            while True:
                status, length, body = self._post(connection, path, head + tail, sent)
                if status == 200:
                    return self._checked(body, length, model)
                if status != 503 or time.monotonic() > deadline:
                    raise DeviceError(
                        f"{self.url} answered {status}: {complaint(body)}", "see to the endpoint"
                    )
                time.sleep(min(max(_parsed(body).retry_after_ms, 5), 5000) / 1e3)
        finally:
            idle.put(connection)

    def _post(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, int, bytes]:
        try:
            connection.request("POST", path, body, headers)
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()  # it opens again with the next request
            raise DeviceError(
                f"{self.url} does not answer: {error}", "run it again: it goes on where it ended"
            ) from error
        return reply.status, int(reply.getheader(HEADER_LENGTH) or len(content)), content

    def _checked(self, body: bytes, length: int, model: Served) -> bytes:
        answer = _parsed(body[:length])
        served = answer.parameters.get("model_sha256", model.sha256)
        if served != model.sha256:
            raise DataError(
                f"{self.url} serves another model: its hash begins with {str(served)[:12]}, this one's with"
                f" {model.sha256[:12]}",
                "name the bundle that it serves",
            )
        return body[length:]


def _body(inputs: list[Array], model: Served, output: str) -> tuple[bytes, bytes]:
    tails = [np.ascontiguousarray(array).tobytes() for array in inputs]
    tensors = [
        {
            "name": info.name, "datatype": DATATYPES[info.dtype], "shape": [len(array), *info.shape[1:]],
            "parameters": {"binary_data_size": len(tail)},
        }
        for info, array, tail in zip(model.inputs, inputs, tails, strict=True)
    ]  # fmt: skip
    wanted = [{"name": output, "parameters": {"binary_data": True}}]
    return msgspec.json.encode({"inputs": tensors, "outputs": wanted}), b"".join(tails)


def _parsed(body: bytes) -> _Answer:
    try:
        return from_json(body, _Answer)
    except msgspec.DecodeError:
        return _Answer()
