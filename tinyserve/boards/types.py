# SPDX-License-Identifier: Apache-2.0
"""What a board and a core are: the contents of ``boards/*.toml`` and ``boards/cores.toml``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Registers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses that the emulated port uses (docs/architecture.md, memory map of the emulated port).

    ``timer_kind`` says what lies at ``timer`` and how its ticks become instructions under QEMU's ``-icount``.
    """

    uart: int
    timer: int
    timer_kind: Literal["cmsdk", "cmsdk20", "sse", "minstret"]
    marker: int


class Core(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A processor core as toolchains and emulators know it."""

    name: str  # "cortex-m4"
    zig_target: str  # "thumb-freestanding-eabihf"; empty for host and Xtensa
    zig_cpu: str  # "cortex_m4+vfp4d16sp"
    gcc_flags: list[str]  # ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
    features: list[str]  # see codegen.program.Target
    port: Literal["host", "cortex_m", "riscv", ""] = (
        ""  # directory of the emulated port's templates; empty: none
    )
    unicorn_cpu: str = ""  # "CORTEX_M4"; empty: not in Unicorn
    renode_cpu: str = ""  # "cortex-m4f"; empty: not in Renode
    cycle_model: str = ""  # name of the cycle table, empty: none
    registers: Registers | None = None


RegionKind = Literal[
    "",
    "flash",  # in the chip, behind a cache or an accelerator
    "mram",
    "rram",
    "external-flash",  # executed in place through a cache
    "app-partition",  # the part of external flash that the partition table gives to the program
    "sram",
    "axi-sram",  # behind the data cache
    "static-dram",  # what the linker may use of a RAM whose rest is the heap's
    "ccm",
    "tcm",  # one for code and data
    "itcm",
    "dtcm",
    "external-ram",
]


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A memory region: address and bytes, and what it is.

    ``word_cycles`` is about what a word read there costs the core (0: what is usual for its kind).
    ``section``: of flash, where constants are put that the vendor's linker script is not to copy to RAM.
    """

    origin: int
    bytes: int
    kind: RegionKind = ""
    word_cycles: float = 0.0
    section: str = ""


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A further region that firmware may use, beside those that its linker script fills by default.

    ``holds`` says what the compiler may put there by itself: of which nobody else makes use. ``section``
    of the vendor's linker script lies there; without one the linker is told the address of ours. ``enable``
    are registers and the bits that are set in them before the memory answers.
    """

    name: str
    kind: RegionKind
    origin: int
    bytes: int
    word_cycles: float = 0.0
    holds: list[Literal["code", "weights", "arena"]] = []
    section: str = ""
    enable: list[tuple[int, int]] = []


class Sources(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The documents that each fact was looked up in: two that do not copy each other."""

    flash: list[str] = []
    ram: list[str] = []
    clock: list[str] = []
    usb: list[str] = []

    def all(self) -> list[str]:
        """Each document once."""
        return list(dict.fromkeys([*self.flash, *self.ram, *self.clock, *self.usb]))


class Power(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Power figures for the energy estimate, with where they came from."""

    supply_v: Annotated[float, Meta(gt=0, le=60)]
    active_ua_per_mhz: Annotated[float, Meta(gt=0, le=1e5)]
    sleep_ua: Annotated[float, Meta(ge=0, le=1e7)]
    source: str


class PlatformIO(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How PlatformIO names the board.

    ``whole`` names the regions of which PlatformIO's own board file states a part: the project states them.
    """

    platform: str
    board: str
    framework: Literal["arduino"] = "arduino"
    upload_protocol: str = ""
    build_flags: list[str] = []
    build_unflags: list[str] = []
    whole: list[Literal["flash", "ram"]] = []


class SlotFlash(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How firmware with slots writes the board's flash: by which port, in which sectors (what one erase
    takes) and units (what is programmed at once), and what its own code is given."""

    port: Literal["mbed", "rp2"]
    firmware_bytes: Annotated[int, Meta(ge=65536, le=1 << 24)]
    sector_bytes: Annotated[int, Meta(ge=1024, le=1 << 18)]
    unit_bytes: Literal[4, 8, 16, 32]


class Usb(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """USB vendor and product ids that the board's serial port shows.

    "silent": a connector that shows up beside the one that the firmware speaks on.
    """

    vid: Annotated[int, Meta(ge=1, le=0xFFFF)]
    pid: Annotated[int, Meta(ge=0, le=0xFFFF)]
    role: Literal["application", "bootloader", "silent"] = "application"


class Emulator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the board runs without hardware.

    ``machine``: QEMU's name, for kind qemu; for kind renode the platform file that Renode has of the board,
    and ``without`` names what of it lies where a twin has its registers.
    """

    kind: Literal["unicorn", "qemu", "renode", "host"]
    machine: str = ""
    without: list[str] = []


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One board. ``id`` is the file's stem; ``sources`` say where the figures were looked up (a plain list
    will do for a board of one's own).

    ``flash`` and ``ram`` are where the vendor's linker script puts a program by default, and what a twin has;
    ``code_in`` and ``constants_in`` "ram" say that it copies those there at start. ``zephyr`` and ``arduino``
    are the names that west and arduino-cli know the board by. ``energy_uart`` is the core's serial object on
    pins, where ``Serial`` is USB.
    """

    id: str
    name: str
    vendor: str
    mcu: str
    core: Core
    clock_hz: int
    emulators: list[Emulator]
    sources: Sources | list[str]
    flash: Region | None = None
    ram: Region | None = None
    memory: list[Memory] = []
    code_in: Literal["flash", "ram"] = "flash"
    constants_in: Literal["flash", "ram"] = "flash"
    platformio: PlatformIO | None = None
    zephyr: str = ""
    arduino: str = ""
    energy_uart: str = ""
    power: Power | None = None
    slots: SlotFlash | None = None
    usb: list[Usb] = []
    touch_1200: bool = False
    flash_wait_states: int = 0
    aliases: list[str] = []
    notes: str = ""
    vectors: Region | None = None  # where the vector table lies when it is not at the start of flash

    @property
    def is_real(self) -> bool:
        """Whether there is hardware, and not only an emulated core."""
        return bool(self.platformio or self.zephyr or self.arduino or self.usb)

    @property
    def export_kind(self) -> Literal["zephyr", "arduino", "cmake"]:
        """The export that gets firmware onto a board that PlatformIO does not build for."""
        return "zephyr" if self.zephyr else "arduino" if self.arduino else "cmake"
