# SPDX-License-Identifier: Apache-2.0
"""A compiled model on this machine: its outputs, and every intermediate tensor, as numpy arrays."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyserve import platforms
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.events import Event
from tinyserve.compiler.graph.types import Tensor
from tinyserve.compiler.host.build import build
from tinyserve.compiler.ops.support import external
from tinyserve.compiler.program import Buffer, Target, every_call
from tinyserve.errors import DataError, ToolError
from tinyserve.words import counted

Array = npt.NDArray[Any]
RUN_TIMEOUT_S = 600
FAST = Target(frozenset({"host"}), "speed")
"""For ``compile_model``: a model that is to run over whole data sets, on this machine's vector units."""


class HostModel:
    """The model's C code, built with the system's compiler and run here.

    Each instance has an arena, and so state, of its own. One instance must not run in two threads at once.
    With ``sanitize`` the code runs under ASan and UBSan in a child process, and a finding is a ToolError;
    state then starts afresh with every call. So does code with kernels from outside, where the compiler can.
    A model that was compiled for ``FAST`` is built for this very processor, which takes seconds.
    """

    def __init__(self, compiled: Compiled, sanitize: bool = False) -> None:
        self._compiled = compiled
        self._runner: _Runner = _Sanitized(compiled) if sanitize else _runner(compiled)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One inference: arrays of the inputs' shapes and types to arrays of the outputs'."""
        raw = [_raw(value, tensor, ()) for value, tensor in self._paired(inputs)]
        return self._decoded(self._runner.batch(1, False, raw), ())

    def run_bytes(self, inputs: Sequence[bytes]) -> list[bytes]:
        """One inference from the inputs' bytes to the outputs'. Raises DataError for another size."""
        sizes = [tensor.nbytes for tensor in self._compiled.program.input_tensors]
        if [len(data) for data in inputs] != sizes:
            raise DataError(f"inputs of {[len(data) for data in inputs]} bytes, the model takes {sizes}")
        return self._runner.batch(1, False, list(inputs))

    def run_batch(self, inputs: Sequence[Array], reset: bool = True) -> list[Array]:
        """Many inferences in one call of the C code: arrays with a sample axis before the inputs' shapes.

        With ``reset`` state is set back before every sample.
        """
        if not inputs:
            raise DataError("a batch needs at least one input", "pass an array per input")
        samples = len(inputs[0])
        raw = [_raw(value, tensor, (samples,)) for value, tensor in self._paired(inputs)]
        return self._decoded(self._runner.batch(samples, reset, raw), (samples,))

    def events(self, inputs: Sequence[Array]) -> tuple[list[Array], list[Event]]:
        """As ``run_batch`` over samples that follow one another, state kept, and what happened in them: what
        ``on_event`` was called back with. Raises ToolError where the code runs in a process of its own."""
        found: list[Event] = []
        self._runner.listen(found.append)
        try:
            return self.run_batch(inputs, reset=False), found
        finally:
            self._runner.listen(None)

    def listen(self, heard: Callable[[Event], None]) -> None:
        """Calls ``heard`` with each event of the inferences from now on. Raises ToolError as ``events``
        does."""
        self._runner.listen(heard)

    def trace(self, inputs: Sequence[Array]) -> dict[int, Array]:
        """One inference layer by layer: the value of every tensor that a layer computed, by its index in the
        file, read right after its layer."""
        raw = [_raw(value, tensor, ()) for value, tensor in self._paired(inputs)]
        arenas = self._runner.arenas(raw)
        program, plan = self._compiled.program, self._compiled.plan
        written = {
            program.whole(buffer): index for index, call in enumerate(program.calls) for buffer in call.writes
        }
        written |= {part: written[view.root] for part, view in program.views.items() if view.root in written}
        values: dict[int, Array] = {}
        for tensor, operand in program.values.items():
            if tensor.index >= 0 and isinstance(operand, Buffer) and operand in written:
                start = plan.offsets[operand]
                value = arenas[written[operand]][start : start + tensor.nbytes]
                values[tensor.index] = np.frombuffer(value, dtype=tensor.dtype.numpy).reshape(tensor.shape)
        return values

    def reset(self) -> None:
        """State back to its initial values."""
        self._runner.reset()

    def _paired(self, inputs: Sequence[Array]) -> list[tuple[Array, Tensor]]:
        tensors = self._compiled.program.input_tensors
        if len(inputs) != len(tensors):
            raise DataError(
                f"{counted(len(inputs), 'input')} for a model that has {len(tensors)}", "pass one per input"
            )
        return list(zip(inputs, tensors, strict=True))

    def _decoded(self, raw: list[bytes], batch: tuple[int, ...]) -> list[Array]:
        tensors = self._compiled.program.output_tensors
        return [
            np.frombuffer(data, dtype=tensor.dtype.numpy).reshape(batch + tensor.shape).copy()
            for data, tensor in zip(raw, tensors, strict=True)
        ]


def _runner(compiled: Compiled) -> _Runner:
    """In this process; kernels from outside, which may be wrong, in one of their own."""
    used = {call.header for call in every_call(compiled.program.calls) if call.header}
    if external.headers(used, compiled.program.target.operators):
        with contextlib.suppress(ToolError):  # no sanitizers, or an error that comes up below, too
            return _Sanitized(compiled)
    return _Library(compiled)


Heard = Callable[[Event], None]


class _CEvent(ctypes.Structure):
    """``ts_event`` of kernels/common/event.h."""

    _fields_ = (
        ("model", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("source", ctypes.c_uint32),
        ("class_number", ctypes.c_int32),
        ("inference", ctypes.c_uint32),
        ("sample", ctypes.c_uint64),
        ("first_output", ctypes.c_uint32),
        ("output_count", ctypes.c_uint32),
    )


_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.POINTER(_CEvent))


class _Runner(Protocol):
    """The two ways to run the C code. Raw bytes hold one input's (output's) samples one after the other."""

    def batch(self, samples: int, reset: bool, inputs: list[bytes]) -> list[bytes]: ...
    def arenas(self, inputs: list[bytes]) -> list[bytes]: ...
    def listen(self, heard: Heard | None) -> None: ...
    def reset(self) -> None: ...


class _Library:
    """In this process. The library is loaded from a copy, so that no two instances share an arena."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        built = build(compiled)
        handle, name = tempfile.mkstemp(prefix="tinyserve-", suffix=built.suffix)
        os.close(handle)
        try:
            shutil.copyfile(built, name)
            Path(name).chmod(0o700)
            self._library = ctypes.CDLL(name)
        except OSError as error:
            raise ToolError(f"{built}: cannot load the host build: {error}", "remove the file") from error
        finally:
            if platforms.here().unlinks_open_files:
                Path(name).unlink()
        self._library.ts_host_arena.restype = ctypes.c_void_p
        self._library.ts_host_input.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_uint64]
        self._library.ts_host_layer.argtypes = [ctypes.c_uint32]
        self.reset()

    def reset(self) -> None:
        self._library.ts_host_reset()

    def batch(self, samples: int, reset: bool, inputs: list[bytes]) -> list[bytes]:
        program = self._compiled.program
        input_bytes = [tensor.nbytes for tensor in program.input_tensors]
        output_bytes = [tensor.nbytes for tensor in program.output_tensors]
        outputs = [ctypes.create_string_buffer(max(1, samples * size)) for size in output_bytes]
        status = self._library.ts_host_batch(
            ctypes.c_uint64(samples),
            ctypes.c_uint64(reset),
            ctypes.c_uint64(len(inputs)),
            (ctypes.c_uint64 * len(inputs))(*input_bytes),
            (ctypes.c_char_p * len(inputs))(*inputs),
            ctypes.c_uint64(len(outputs)),
            (ctypes.c_uint64 * len(outputs))(*output_bytes),
            (ctypes.c_void_p * len(outputs))(*(ctypes.addressof(output) for output in outputs)),
        )
        if status:
            raise ToolError(f"the model's invoke returned {status}")
        return [output.raw[: samples * size] for output, size in zip(outputs, output_bytes, strict=True)]

    def listen(self, heard: Heard | None) -> None:
        program = self._compiled.program
        if not program.events.sources:
            return
        self._library.ts_host_output.restype = ctypes.c_void_p

        def called(pointer: Any) -> None:
            event = pointer.contents
            numbers = range(event.first_output, event.first_output + event.output_count)
            payload = tuple(
                ctypes.string_at(self._library.ts_host_output(number), program.output_tensors[number].nbytes)
                for number in numbers
            )
            assert heard is not None
            name = bytes(event.name).decode()
            heard(Event(name, event.class_number, event.inference, event.sample, payload))

        # C keeps the pointer: so must Python.
        self._callback = _CALLBACK(called) if heard is not None else _CALLBACK()
        self._library.ts_host_on_event(self._callback)

    def arenas(self, inputs: list[bytes]) -> list[bytes]:
        for index, data in enumerate(inputs):
            self._library.ts_host_input(index, data, len(data))
        snapshots = []
        for layer in range(len(self._compiled.program.calls)):
            self._library.ts_host_layer(layer)
            snapshots.append(ctypes.string_at(self._library.ts_host_arena(), self._compiled.plan.arena_bytes))
        return snapshots


class _Sanitized:
    """In a child process, which ends with a report where a sanitizer finds something."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._program = build(compiled, sanitize=True)

    def reset(self) -> None:
        """Every call starts a process, and so with initial state."""

    def listen(self, heard: Heard | None) -> None:
        if heard is not None:
            raise ToolError(
                "events of a model with kernels from outside are not heard here: it runs in another process",
                "read its event output, or run it on a device",
            )

    def batch(self, samples: int, reset: bool, inputs: list[bytes]) -> list[bytes]:
        answer = self._ask(False, samples, reset, inputs)
        sizes = [tensor.nbytes for tensor in self._compiled.program.output_tensors]
        outputs: list[list[bytes]] = [[] for _ in sizes]
        place = 0
        for _ in range(samples):
            for parts, size in zip(outputs, sizes, strict=True):
                parts.append(answer[place : place + size])
                place += size
        return [b"".join(parts) for parts in outputs]

    def arenas(self, inputs: list[bytes]) -> list[bytes]:
        answer = self._ask(True, 1, False, inputs)
        size = self._compiled.plan.arena_bytes
        return [answer[i * size : (i + 1) * size] for i in range(len(self._compiled.program.calls))]

    def _ask(self, trace: bool, samples: int, reset: bool, inputs: list[bytes]) -> bytes:
        program = self._compiled.program
        sizes = [tensor.nbytes for tensor in [*program.input_tensors, *program.output_tensors]]
        head = [trace, samples, reset, len(inputs), len(program.output_tensors), *sizes]
        request = [struct.pack(f"={len(head) + 1}Q", *head, self._compiled.plan.arena_bytes)]
        for sample in range(samples):
            for data, size in zip(inputs, sizes, strict=False):
                request.append(data[sample * size : (sample + 1) * size])
        try:
            result = subprocess.run(
                [str(self._program)],
                input=b"".join(request),
                capture_output=True,
                timeout=RUN_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{self._program}: no answer within {RUN_TIMEOUT_S} s") from error
        if result.returncode:
            report = result.stderr.decode(errors="replace")[:4000]
            hint = (
                "the report names the kernel and its line" if self._compiled.program.target.operators else ""
            )
            raise ToolError(f"the model's code failed under the sanitizers:\n{report}", hint)
        return result.stdout


def _raw(value: Array, tensor: Tensor, batch: tuple[int, ...]) -> bytes:
    """The bytes of an input. Raises DataError unless shape and type are the model's."""
    value = np.asarray(value)
    expected = batch + tensor.shape
    if value.shape != expected or value.dtype != tensor.dtype.numpy:
        raise DataError(
            f'input "{tensor.name}": {value.dtype} {list(value.shape)} where the model takes '
            f"{tensor.dtype.numpy} {list(expected)}",
            "reshape the data, and quantize it with the input's scale and zero point",
        )
    return np.ascontiguousarray(value).tobytes()
