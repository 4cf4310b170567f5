# SPDX-License-Identifier: Apache-2.0
"""Board files beside what the build that uploads them links and clocks: figures of the vendors' own files.

A chip's data sheet says what there is, and a board file of ours what firmware gets: the two differ where a
bootloader, a linker script, a partition or a device tree takes a part, or leaves a PLL off. Read in November
2026 in the files that each line names.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tinyserve import boards

KB = 1024


@dataclass(frozen=True)
class Published:
    """Origin and bytes of what a build links, ``None`` where the file does not say; ``hz`` as it runs."""

    flash: tuple[int, int] | None
    ram: tuple[int, int] | None
    hz: int | None
    usb: frozenset[int] = frozenset()


def _pio(
    flash: int, ram: int, mhz: int | None, *usb: int, origins: tuple[int, int] | None = None
) -> Published:
    """A board file of PlatformIO: upload.maximum_size, maximum_ram_size, f_cpu, hwids."""
    at_flash, at_ram = origins or (-1, -1)
    return Published((at_flash, flash), (at_ram, ram), mhz * 1_000_000 if mhz else None, frozenset(usb))


PUBLISHED = {
    # PlatformIO ststm32 boards/*.json with stm32duino's ldscript.ld and SystemClock_Config
    "nucleo-l4r5zi": _pio(2048 * KB, 640 * KB, 120, origins=(0x08000000, 0x20000000)),
    "nucleo-f446re": _pio(512 * KB, 128 * KB, 180, origins=(0x08000000, 0x20000000)),
    "disco-f746ng": _pio(1024 * KB, 320 * KB, 216, origins=(0x08000000, 0x20000000)),
    "nucleo-h563zi": _pio(2048 * KB, 640 * KB, 250, origins=(0x08000000, 0x20000000)),
    "nucleo-u575zi": _pio(2048 * KB, 768 * KB, 160, origins=(0x08000000, 0x20000000)),
    "bluepill": _pio(64 * KB, 20 * KB, 72, origins=(0x08000000, 0x20000000)),
    "nucleo-g0b1re": _pio(256 * KB, 144 * KB, 64, origins=(0x08000000, 0x20000000)),
    "b-u585i-iot02a": _pio(2048 * KB, 256 * KB, 160, origins=(0x08000000, 0x20000000)),
    "disco-f407vg": _pio(1024 * KB, 128 * KB, 168, origins=(0x08000000, 0x20000000)),
    "nucleo-h743zi2": _pio(2048 * KB, 512 * KB, 480, origins=(0x08000000, 0x24000000)),
    # ... and ArduinoCore-mbed variants/*/linker_script.ld, boards.txt
    "portenta-h7": _pio(768 * KB, 512 * KB, 480, 0x2341025B, 0x2341035B, origins=(0x08040000, 0x24000000)),
    "giga-r1": _pio(768 * KB, 512 * KB, 480, 0x23410266, 0x23410366, origins=(0x08040000, 0x24000000)),
    "nicla-vision": _pio(768 * KB, 512 * KB, 480, 0x2341025F, 0x2341035F, origins=(0x08040000, 0x24000000)),
    "nano33": _pio(960 * KB, 256 * KB, 64, 0x2341005A, 0x2341805A, origins=(0x10000, 0x20000000)),
    "nicla-sense-me": _pio(448 * KB, 64 * KB, 64, 0x23410060, origins=(0x10000, 0x20000000)),
    "pico": _pio(2048 * KB, 256 * KB, None, 0x2E8A00C0, 0x2E8A0003, origins=(0x10000000, 0x20000000)),
    "nano-rp2040-connect": _pio(
        2048 * KB, 256 * KB, None, 0x2341005E, 0x2341805E, origins=(0x10000000, 0x20000000)
    ),
    # PlatformIO nordicnrf52, renesas-ra, atmelsam, teensy
    "microbit-v2": _pio(512 * KB, 128 * KB, 64, 0x0D280204),
    "uno-r4-minima": _pio(240 * KB, 32 * KB, 48, 0x23410069, 0x23410369, origins=(0x4000, 0x20000000)),
    "uno-r4-wifi": _pio(240 * KB, 32 * KB, 48, 0x23411002, 0x2341006D, origins=(0x4000, 0x20000000)),
    "feather-m4": _pio(
        496 * KB, 192 * KB, 120, 0x239A8031, 0x239A8022, 0x239A0022, origins=(0x4000, 0x20000000)
    ),
    "teensy41": _pio(7936 * KB, 512 * KB, 600),
    "redboard-artemis": _pio(960 * KB, 384 * KB, 48),
    # arduino-pico tools/json, platform-seeedboards
    "pico2": _pio(4096 * KB, 512 * KB, 150, 0x2E8A000F),
    "pico-plus-2": _pio(16384 * KB, 512 * KB, 150, 0x2E8A100A),
    "xiao-rp2350": _pio(2048 * KB, 512 * KB, 150, 0x28860058),
    "pico2-riscv": _pio(4096 * KB, 512 * KB, 150, 0x2E8A00C0, 0x2E8A000F, origins=(0x10000000, 0x20000000)),
    "xiao-nrf52840-sense": _pio(811_008, 237_568, 64, 0x28860045, 0x28868045, origins=(0x27000, 0x20006000)),
    # PlatformIO espressif32 boards/*.json with app0 of the partition table that each names
    "esp32-s3-devkit": _pio(0x330000, 320 * KB, 240),
    "xiao-esp32s3": _pio(0x330000, 320 * KB, 240),
    "nano-esp32": _pio(0x300000, 320 * KB, 240),
    "esp32-c3": _pio(0x140000, 320 * KB, 160),
    "xiao-esp32c3": _pio(0x140000, 320 * KB, 160, 0x303A1001),
    "esp32-p4": _pio(0x640000, 500 * KB, 360),
    "esp32-c6": _pio(0x140000, 320 * KB, 160),
    "xiao-esp32c6": _pio(0x140000, 320 * KB, 160, 0x28860046, 0x303A1001),
    # ... and the dram0_0_seg of arduino-esp32's memory.ld, which the board file's 320 KB are no part of
    "esp32dev": _pio(0x140000, 0x2C200 - 0xDB5C, 240, origins=(0x400D0000, 0x3FFB0000 + 0xDB5C)),
    # Zephyr's device trees: the chosen flash and sram, the processor's clock
    "hifive1-revb": Published((0x20010000, 3842 * KB), (0x80000000, 16 * KB), 16_000_000),
    "nrf5340-dk": Published((0, 1024 * KB), (0x20000000, 448 * KB), 64_000_000),
    "nucleo-wba55cg": Published((0x08000000, 1024 * KB), (0x20000000, 128 * KB), 32_000_000),
    "max78000fthr": Published((0x10000000, 512 * KB), (0x20010000, 48 * KB), 100_000_000),
    "nucleo-u385rg": Published((0x08000000, 1024 * KB), (0x20000000, 256 * KB), 96_000_000),
    "nucleo-h7a3zi": Published((0x08000000, 2048 * KB), (0x24000000, 1024 * KB), 280_000_000),
    "frdm-mcxn947": Published((0, 2048 * KB), (0x20000000, 320 * KB), 150_000_000),
    "ek-ra8m1": Published((0x02000000, 2016 * KB), None, 480_000_000),
    "stm32n6570-dk": Published((0x70010000, 1536 * KB), (0x34100000, 1024 * KB), 800_000_000),
    "nrf54l15-dk": Published((0, 1428 * KB), (0x20000000, 188 * KB), 128_000_000),
    "apollo4p-evb": Published((0x18000, 1952 * KB), (0x10060000, 1024 * KB), 96_000_000),
    # Himax's WE2_device_addr.h and linker scripts: SRAM from the second boot loader's address on
    "grove-vision-ai-v2": Published((0x3A000000, 16384 * KB), (0x3401F000, 2048 * KB - 0x1F000), None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_board_file_claims_no_more_than_its_build_links(name: str) -> None:
    board, published = boards.load(name), PUBLISHED[name]
    stated = set(board.platformio.whole) if board.platformio else set()
    for kind, region, linked in (
        ("flash", board.flash, published.flash),
        ("ram", board.ram, published.ram),
    ):
        assert region is not None
        if linked is None:
            continue
        origin, size = linked
        assert origin in (-1, region.origin), kind
        assert region.bytes > size if kind in stated else region.bytes == size, kind


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_board_file_states_the_clock_that_its_build_sets(name: str) -> None:
    published = PUBLISHED[name].hz
    assert published in (None, boards.load(name).clock_hz)


@pytest.mark.parametrize("name", [name for name, published in PUBLISHED.items() if published.usb])
def test_ports_are_found_by_ids_that_are_published(name: str) -> None:
    ids = {usb.vid << 16 | usb.pid for usb in boards.load(name).usb}
    assert ids <= PUBLISHED[name].usb
