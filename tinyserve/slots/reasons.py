# SPDX-License-Identifier: Apache-2.0
"""Why a device refused an image, in words: the numbers of ``ts_image_verdict`` and ``ts_slot_reason``."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Stored in the device's flash; firmware_templates/slots has each."""

    NONE = 0
    NO_HEADER = 1
    TOO_LARGE = 2
    BAD_TLVS = 3
    WRONG_HASH = 4
    UNKNOWN_KEY = 5
    BAD_SIGNATURE = 6
    WRONG_ABI = 7
    WRONG_CORE = 8
    WRONG_SLOT = 9
    ARENA = 10
    DOWNGRADE = 11
    WRONG_BYTES = 32
    FAULT = 33
    TIME_OUT = 34
    RESET = 35
    NOT_CONFIRMED = 36
    BY_HOST = 37


_WORDS = {
    Reason.NONE: ("nothing", ""),
    Reason.NO_HEADER: ("it is no image in MCUboot's format", "make it with tinyserve sign"),
    Reason.TOO_LARGE: ("a size in it reaches out of the slot", "make it with tinyserve sign for this board"),
    Reason.BAD_TLVS: ("its TLVs are torn, doubled or missing", "make it with tinyserve sign"),
    Reason.WRONG_HASH: ("its bytes are not the ones that were signed", "sign it again, and upload it again"),
    Reason.UNKNOWN_KEY: (
        "it is signed with a key that the device does not hold",
        "sign it with the device's key (tinyserve slots shows its hash, tinyserve keys show a file's)",
    ),
    Reason.BAD_SIGNATURE: ("its signature was not made with the device's key", "sign it again with that key"),
    Reason.WRONG_ABI: (
        "it is made for another firmware's interface",
        "sign it with the tinyserve that built the firmware, or build the firmware anew",
    ),
    Reason.WRONG_CORE: ("it is compiled for another core", "tinyserve sign --board with this device's board"),
    Reason.WRONG_SLOT: (
        "it is linked for another slot or board",
        "upload the image of the slot that is free",
    ),
    Reason.ARENA: (
        "it needs more RAM than the firmware keeps for models",
        "--optimize ram when signing, or firmware with more: tinyserve build --slots KEY --slot-memory BYTES",
    ),
    Reason.DOWNGRADE: (
        "its security counter is below the one that was last confirmed",
        "sign it with --counter as high as tinyserve slots shows, or higher",
    ),
    Reason.WRONG_BYTES: (
        "it does not compute what its golden vector says: output byte {detail} differs",
        "the device's hardware or the image's build is at fault: sign it again, and try another device",
    ),
    Reason.FAULT: ("it faulted at {detail:#010x}", "tinyserve build and profile it on the board's twin"),
    Reason.TIME_OUT: ("the watchdog ended it", "is the model too large for this core? tinyserve profile"),
    Reason.RESET: (
        "the device was reset twice while it proved itself",
        "check the supply, and upload it again",
    ),
    Reason.NOT_CONFIRMED: (
        "nobody confirmed it in {detail} boots",
        "upload it again, and confirm it: tinyserve update does, or tinyserve slots --confirm",
    ),
    Reason.BY_HOST: ("a host went back to the model before", ""),
}


def words(reason: int, detail: int) -> tuple[str, str]:
    """Why, and what to try; for a number of a later version the number."""
    try:
        why, hint = _WORDS[Reason(reason)]
    except ValueError:
        return f"reason {reason} ({detail})", "update tinyserve: it does not know that reason"
    return why.format(detail=detail), hint
