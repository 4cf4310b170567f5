# SPDX-License-Identifier: Apache-2.0
"""The arithmetic that small cores lack, on the computer and on emulated cores, against Python."""

from __future__ import annotations

import ctypes
import random
import subprocess
from pathlib import Path

import pytest

from tests.firmware.shim_values import integer, signed
from tests.firmware.target_functions import TargetFunctions
from tinyserve.resources import data_directory

SHIM = data_directory("firmware_templates") / "shim"
M32, M64 = 2**32 - 1, 2**64 - 1


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    built = tmp_path_factory.mktemp("shim") / "shim.so"
    flags = [
        "-O2",
        "-ffreestanding",
        "-fno-builtin",
        "-shared",
        "-fPIC",
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Werror",
    ]
    checks = ["-fsanitize=undefined", "-fno-sanitize-recover=all"]
    sources = [str(path) for path in sorted(SHIM.glob("*.c"))]
    subprocess.run(["cc", *flags, *checks, *sources, "-o", str(built)], check=True, timeout=120)
    return ctypes.CDLL(str(built))


@pytest.mark.parametrize("kind", ["memset", "memmove", "memcpy"])
def test_memory_functions_on_the_computer(host: ctypes.CDLL, kind: str) -> None:
    generator = random.Random(4)
    for _ in range(1_000):
        before = generator.randbytes(96)
        buffer = ctypes.create_string_buffer(before, 96)
        base = ctypes.addressof(buffer)
        to, count = generator.randrange(32), generator.randrange(33)
        after = bytearray(before)
        if kind == "memset":
            value = generator.randrange(-300, 300)
            host.memset(ctypes.c_void_p(base + to), value, ctypes.c_size_t(count))
            after[to : to + count] = bytes([value & 255]) * count
        else:
            # Only memmove may overlap.
            start = generator.randrange(64) if kind == "memmove" else generator.randrange(64, 96 - count + 1)
            host[kind](ctypes.c_void_p(base + to), ctypes.c_void_p(base + start), ctypes.c_size_t(count))
            after[to : to + count] = before[start : start + count]
        assert buffer.raw == bytes(after)


@pytest.fixture(scope="module", params=["cortex-m0", "cortex-m3", "rv32imc"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TargetFunctions:
    directory: Path = tmp_path_factory.mktemp("shim")
    return TargetFunctions(request.param, sorted(SHIM.glob("*.c")), directory)


def test_64_bit_division_on_emulated_cores(target: TargetFunctions) -> None:
    generator = random.Random(7)
    for _ in range(1_000):
        a, b = integer(generator, 64), integer(generator, 64)
        quotient, rest = (a // b, a % b) if b else (M64, a)
        signed_a, signed_b = signed(a, 64), signed(b, 64)
        signed_quotient = abs(signed_a) // abs(signed_b) if b else 0
        if (signed_a < 0) != (signed_b < 0):
            signed_quotient = -signed_quotient
        words = (a & M32, a >> 32, b & M32, b >> 32)
        if target.is_arm:
            r = target.call("__aeabi_uldivmod", *words)
            assert (r[1] << 32 | r[0], r[3] << 32 | r[2]) == (quotient, rest)
            if b:
                r = target.call("__aeabi_ldivmod", *words)
                assert r[1] << 32 | r[0] == signed_quotient & M64
                assert r[3] << 32 | r[2] == signed_a - signed_quotient * signed_b & M64
        else:
            assert _wide(target.call("__udivdi3", *words)) == quotient
            assert _wide(target.call("__umoddi3", *words)) == rest
            if b:
                assert _wide(target.call("__divdi3", *words)) == signed_quotient & M64
                assert _wide(target.call("__moddi3", *words)) == signed_a - signed_quotient * signed_b & M64


def _wide(registers: tuple[int, ...]) -> int:
    return registers[1] << 32 | registers[0]


@pytest.fixture(scope="module")
def cortex_m0(tmp_path_factory: pytest.TempPathFactory) -> TargetFunctions:
    return TargetFunctions("cortex-m0", sorted(SHIM.glob("*.c")), tmp_path_factory.mktemp("m0"))


def test_64_bit_products_on_a_cortex_m0(cortex_m0: TargetFunctions) -> None:
    generator = random.Random(8)
    for _ in range(2_000):
        a, b = integer(generator, 64), integer(generator, 64)
        got = cortex_m0.call("__aeabi_lmul", a & M32, a >> 32, b & M32, b >> 32)
        assert _wide(got) == a * b & M64, (hex(a), hex(b))


def test_64_bit_shifts_on_a_cortex_m0(cortex_m0: TargetFunctions) -> None:
    generator = random.Random(9)
    for shift in range(64):
        value = integer(generator, 64) | generator.getrandbits(1) << 63
        words = (value & M32, value >> 32, shift)
        assert _wide(cortex_m0.call("__aeabi_llsl", *words)) == value << shift & M64
        assert _wide(cortex_m0.call("__aeabi_llsr", *words)) == value >> shift
        assert _wide(cortex_m0.call("__aeabi_lasr", *words)) == signed(value, 64) >> shift & M64


def test_32_bit_division_on_a_cortex_m0(cortex_m0: TargetFunctions) -> None:
    generator = random.Random(10)
    for _ in range(2_000):
        a, b = integer(generator, 32), integer(generator, 32)
        assert cortex_m0.call("__aeabi_uidivmod", a, b)[:2] == ((a // b, a % b) if b else (M32, a))
        if b:
            x, y = signed(a, 32), signed(b, 32)
            quotient = abs(x) // abs(y) * (-1 if (x < 0) != (y < 0) else 1)
            assert cortex_m0.call("__aeabi_idivmod", a, b)[:2] == (quotient & M32, x - quotient * y & M32)
            assert cortex_m0.call("__aeabi_idiv", a, b)[0] == quotient & M32
            assert cortex_m0.call("__aeabi_uidiv", a, b)[0] == a // b


def test_leading_zeros_on_a_cortex_m0(cortex_m0: TargetFunctions) -> None:
    for bit in range(32):
        assert cortex_m0.call("__clzsi2", 1 << bit)[0] == 31 - bit
        assert cortex_m0.call("__clzsi2", (2 << bit) - 1)[0] == 31 - bit
        assert cortex_m0.call("__clzdi2", 0, 1 << bit)[0] == 31 - bit
    assert cortex_m0.call("__clzsi2", 0)[0] == 32
