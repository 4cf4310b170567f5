# SPDX-License-Identifier: Apache-2.0
"""Slots: what an update may do, what it may not, and what stays when the power goes at any moment."""

from __future__ import annotations

import ctypes
import random

import pytest

from tests.firmware.slots.twin import KEY, OTHER_KEY, Answer, PowerCut, Twin, image
from tinyserve.devices.smp.commands import Phase
from tinyserve.slots.reasons import Reason
from tinyserve.slots.update import NO_SLOT


@pytest.fixture(params=[1, 8, 32], ids=lambda unit: f"units of {unit} bytes")
def twin(request: pytest.FixtureRequest, twin_library: ctypes.CDLL) -> Twin:
    return Twin(twin_library, unit=request.param)


@pytest.fixture
def serving(twin_library: ctypes.CDLL) -> Twin:
    """A device that serves a confirmed model from slot 0."""
    twin = Twin(twin_library)
    assert twin.upload(image(twin, 0, counter=1)) is Answer.DONE
    assert twin.confirm() is Answer.DONE
    return twin


def test_an_empty_device_starts_and_serves_nothing(twin: Twin) -> None:
    assert twin.active == NO_SLOT
    assert twin.confirm() is Answer.ORDER
    assert twin.take() is Answer.ORDER
    assert twin.receive(0, b"x" * 32) is Answer.ORDER


def test_a_first_model_is_on_trial_until_it_is_confirmed(twin: Twin) -> None:
    assert twin.upload(image(twin, 0)) is Answer.DONE
    assert (twin.active, twin.phase(0), twin.proofs) == (0, Phase.TRIAL, 1)
    twin.start()
    assert (twin.active, twin.phase(0)) == (0, Phase.TRIAL)
    assert twin.confirm() is Answer.DONE
    for _ in range(10):
        twin.start()
        assert (twin.active, twin.phase(0)) == (0, Phase.CONFIRMED)
    assert twin.violations == 0


def test_the_second_model_goes_into_the_other_slot(serving: Twin) -> None:
    assert serving.upload(image(serving, 1, counter=2)) is Answer.DONE
    assert (serving.active, serving.phase(0), serving.phase(1)) == (1, Phase.CONFIRMED, Phase.TRIAL)
    serving.confirm()
    assert serving.counter == 2
    assert serving.upload(image(serving, 0, counter=3)) is Answer.DONE
    assert serving.active == 0


def test_a_trial_that_nobody_confirms_goes_back_to_the_model_before(serving: Twin) -> None:
    serving.upload(image(serving, 1, counter=2))
    for _ in range(3):
        serving.start()
        assert serving.active == 1
    serving.start()
    assert (serving.active, serving.phase(1)) == (0, Phase.REFUSED)
    assert (serving.reason(1), serving.detail(1)) == (Reason.NOT_CONFIRMED, 3)
    assert serving.counter == 1


@pytest.mark.parametrize("reason", [Reason.FAULT, Reason.TIME_OUT])
def test_a_trial_that_faults_or_hangs_ends(serving: Twin, reason: Reason) -> None:
    serving.upload(image(serving, 1, counter=2))
    serving.start(reason, 0x8000123)
    assert (serving.active, serving.reason(1), serving.detail(1)) == (0, reason, 0x8000123)


def test_wrong_bytes_are_refused_with_their_offset(serving: Twin) -> None:
    serving.model_gives(7)
    assert serving.upload(image(serving, 1, counter=2)) is Answer.REFUSED
    assert (serving.active, serving.reason(1), serving.detail(1)) == (0, Reason.WRONG_BYTES, 7)


@pytest.mark.parametrize("reason", [Reason.FAULT, Reason.TIME_OUT])
def test_a_proof_that_faults_or_hangs_is_refused_at_the_next_start(serving: Twin, reason: Reason) -> None:
    serving.model_gives(resets=1)
    with pytest.raises(PowerCut):
        serving.upload(image(serving, 1, counter=2))
    serving.start(reason, 0x8000042)
    assert (serving.active, serving.reason(1), serving.detail(1)) == (0, reason, 0x8000042)


def test_a_proof_that_loses_power_is_run_once_more(serving: Twin) -> None:
    serving.model_gives(resets=1)
    with pytest.raises(PowerCut):
        serving.upload(image(serving, 1, counter=2))
    serving.start()
    assert (serving.active, serving.phase(1)) == (1, Phase.TRIAL)


def test_two_proofs_that_reset_the_device_are_enough(serving: Twin) -> None:
    serving.model_gives(resets=2)
    with pytest.raises(PowerCut):
        serving.upload(image(serving, 1, counter=2))
    with pytest.raises(PowerCut):
        serving.start()
    serving.start()
    assert (serving.active, serving.reason(1)) == (0, Reason.RESET)


def test_no_image_is_written_over_the_one_that_a_trial_falls_back_on(serving: Twin) -> None:
    serving.upload(image(serving, 1, counter=2))
    assert serving.begin(image(serving, 0, counter=3)) is Answer.ORDER
    assert serving.revert(Reason.WRONG_BYTES) is Answer.DONE
    assert serving.active == 0
    assert serving.begin(image(serving, 1, counter=3)) is Answer.DONE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": OTHER_KEY}, Reason.UNKNOWN_KEY),
        ({"abi": 2}, Reason.WRONG_ABI),
        ({"core": "cortex-m55"}, Reason.WRONG_CORE),
        ({"slot_address": 0x8000}, Reason.WRONG_SLOT),
        ({"arena_bytes": 4097}, Reason.ARENA),
        ({"counter": 1}, Reason.DOWNGRADE),
    ],
)
def test_an_image_that_the_device_cannot_take_is_refused(
    serving: Twin, changes: dict[str, object], reason: Reason
) -> None:
    serving.upload(image(serving, 1, counter=2))
    serving.confirm()
    made = image(serving, 0, **({"counter": 3} | changes))
    assert serving.upload(made) is Answer.REFUSED
    assert (serving.active, serving.phase(0), serving.reason(0)) == (1, Phase.REFUSED, reason)
    serving.start()
    assert (serving.active, serving.reason(0)) == (1, reason)
    assert serving.proofs == 2  # a refused image never ran


def test_a_signature_of_another_key_under_the_right_name_is_refused(serving: Twin) -> None:
    forged, honest = (image(serving, 1, counter=2, key=key) for key in (OTHER_KEY, KEY))
    name = honest[-64 - 4 - 32 : -64 - 4]
    assert serving.upload(forged[: -64 - 4 - 32] + name + forged[-64 - 4 :]) is Answer.REFUSED
    assert serving.reason(1) is Reason.BAD_SIGNATURE


def test_a_key_is_rotated_by_an_image_once_it_is_confirmed(serving: Twin) -> None:
    serving.upload(image(serving, 1, counter=2, next_key=OTHER_KEY.public_key()))
    serving.confirm()
    assert serving.upload(image(serving, 0, counter=3, key=KEY)) is Answer.REFUSED
    assert serving.reason(0) is Reason.UNKNOWN_KEY
    assert serving.upload(image(serving, 0, counter=3, key=OTHER_KEY)) is Answer.DONE


def test_an_older_model_is_good_to_fall_back_on_though_not_to_upload(serving: Twin) -> None:
    serving.upload(image(serving, 1, counter=5))
    serving.confirm()
    serving.flip(1, 100, 0x01)
    serving.start()
    assert (serving.active, serving.reason(1)) == (0, Reason.WRONG_HASH)


def test_with_both_slots_rotten_the_device_still_starts(serving: Twin) -> None:
    serving.upload(image(serving, 1, counter=5))
    serving.confirm()
    for slot in (0, 1):
        serving.flip(slot, 200, 0x80)
    assert serving.start() is Answer.DONE
    assert serving.active == NO_SLOT
    assert serving.upload(image(serving, 0, counter=6)) is Answer.DONE


def test_bytes_for_another_offset_or_too_many_change_nothing(serving: Twin) -> None:
    made = image(serving, 1, counter=2)
    serving.begin(made)
    assert serving.receive(8, made[:8]) is Answer.OFFSET
    assert serving.receive(0, made[:8]) is Answer.DONE
    assert serving.receive(0, made[:8]) is Answer.OFFSET
    assert serving.receive(8, made[8:13]) is Answer.SIZE
    assert serving.receive(8, made[8:] + bytes(8)) is Answer.SIZE
    assert serving.take() is Answer.ORDER
    assert serving.receive(8, made[8:]) is Answer.DONE
    assert serving.take() is Answer.DONE


def test_an_image_larger_than_a_slot_is_refused_before_anything_is_erased(serving: Twin) -> None:
    before = serving.save()
    assert serving.begin(bytes(6 * 1024 + 1)) is Answer.SIZE
    assert serving.begin(b"") is Answer.SIZE
    assert serving.save() == before


def test_an_interrupted_upload_goes_on_at_a_sector(serving: Twin) -> None:
    made = image(serving, 1, counter=2, size=4000)
    serving.begin(made)
    for at in range(0, 2560, 512):
        serving.receive(at, made[at : at + 512])
    serving.start()
    assert serving.begin(made) is Answer.DONE
    assert serving.received == 2048
    assert serving.upload(made) is Answer.DONE
    assert (serving.active, serving.violations) == (1, 0)


def test_another_upload_in_the_middle_begins_anew(serving: Twin) -> None:
    made = image(serving, 1, counter=2, size=4000)
    serving.begin(made)
    serving.receive(0, made[:2048])
    assert serving.upload(image(serving, 1, counter=2, size=3000)) is Answer.DONE


def test_a_confirmation_that_the_flash_did_not_take_has_not_happened(serving: Twin) -> None:
    serving.upload(image(serving, 1, counter=2))
    serving.fail_from_now_on()
    assert serving.confirm() is Answer.FLASH
    assert serving.confirm() is Answer.FLASH
    assert (serving.phase(1), serving.counter) == (Phase.TRIAL, 1)
    assert serving.revert(Reason.WRONG_BYTES) is Answer.FLASH
    assert serving.active == 1
    serving.fail_from_now_on(False)
    assert serving.confirm() is Answer.DONE


def test_erases_that_fail_never_reach_the_sector_with_the_last_record(serving: Twin) -> None:
    """The journal is filled up to where its other sector has to be erased, which fails again and again."""
    serving.upload(image(serving, 1, counter=2))
    serving.confirm()
    for _ in range(2 * 1024 // 132):
        serving.fail_from_now_on(erases_alone=True)
        serving.upload(image(serving, 0, counter=3))
        serving.fail_from_now_on(False)
        serving.start()
        assert (serving.active, serving.counter) == (1, 2)


# ---- the power ----

SHORT = 400  # bytes of a body: every unit of it is cut


def life(twin: Twin, made: bytes) -> None:
    """An update as a host does it, with two boots on trial."""
    twin.upload(made, chunk=256)
    twin.start()
    twin.start()
    twin.confirm()


def go_on(twin: Twin, made: bytes) -> None:
    """What a host does with a device that it left in the middle of something."""
    if twin.active != NO_SLOT and twin.phase(twin.active) is Phase.TRIAL:
        twin.confirm()
    elif twin.active == NO_SLOT or twin.slot(twin.active, len(made)) != made:
        life(twin, made)


def operations_of(twin: Twin, flash: bytes, made: bytes) -> int:
    twin.restore(flash)
    twin.start()
    twin.cut(0)
    life(twin, made)
    return twin.operations


def cut_short(twin: Twin, flash: bytes, made: bytes, cut: tuple[int, int, int]) -> None:
    """A life that loses power, and the state right after the next start."""
    twin.restore(flash)
    twin.start()
    twin.cut(*cut)
    with pytest.raises(PowerCut):
        life(twin, made)
    twin.cut(0)
    twin.start()


def every_cut(count: int, torn: int) -> list[tuple[int, int, int]]:
    """Before, after, and ``torn`` times inside of each operation."""
    return [
        (operation, how, seed)
        for operation in range(1, count + 1)
        for how, seeds in ((0, 1), (1, torn), (2, 1))
        for seed in range(seeds)
    ]


@pytest.mark.parametrize("unit", [8, 32])
def test_a_device_that_serves_still_serves_after_a_cut_anywhere(twin_library: ctypes.CDLL, unit: int) -> None:
    twin = Twin(twin_library, unit=unit)
    old = image(twin, 0, counter=1, size=SHORT)
    twin.upload(old)
    twin.confirm()
    flash, new = twin.save(), image(twin, 1, counter=2, size=SHORT)
    for cut in every_cut(operations_of(twin, flash, new), torn=3):
        cut_short(twin, flash, new, cut)
        assert twin.active in (0, 1) and twin.serves(twin.active), cut
        whole = old if twin.active == 0 else new
        assert twin.slot(twin.active, len(whole)) == whole, cut
        go_on(twin, new)
        assert twin.slot(twin.active, len(new)) == new and twin.phase(twin.active) is Phase.CONFIRMED, cut
        assert twin.violations == 0, cut


def test_a_new_device_never_serves_what_was_not_proved(twin_library: ctypes.CDLL) -> None:
    twin = Twin(twin_library)
    flash, made = twin.save(), image(twin, 0, counter=1, size=SHORT)
    for cut in every_cut(operations_of(twin, flash, made), torn=3):
        cut_short(twin, flash, made, cut)
        assert twin.active == NO_SLOT or twin.slot(0, len(made)) == made, cut
        go_on(twin, made)
        assert (twin.active, twin.phase(0), twin.violations) == (0, Phase.CONFIRMED, 0), cut


@pytest.mark.parametrize("bad", ["tampered", "older", "other key", "wrong bytes"])
def test_no_cut_helps_an_image_that_is_to_be_refused(twin_library: ctypes.CDLL, bad: str) -> None:
    twin = Twin(twin_library)
    twin.upload(image(twin, 0, counter=5))
    twin.confirm()
    flash = twin.save()
    made = image(
        twin, 1, size=SHORT, counter=4 if bad == "older" else 6, key=OTHER_KEY if bad == "other key" else KEY
    )
    if bad == "tampered":
        made = made[:40] + bytes([made[40] ^ 1]) + made[41:]
    if bad == "wrong bytes":
        twin.model_gives(3)
    for cut in every_cut(operations_of(twin, flash, made), torn=2):
        try:
            cut_short(twin, flash, made, cut)
        finally:
            assert twin.active == 0, cut
        life(twin, made)
        assert (twin.active, twin.phase(1)) == (0, Phase.REFUSED), cut


def test_cuts_while_the_device_recovers_from_cuts(twin_library: ctypes.CDLL) -> None:
    """Random histories of updates, cuts, starts and confirmations: something whole always serves."""
    for seed in range(150):
        random_history(Twin(twin_library), random.Random(seed))


def random_history(twin: Twin, dice: random.Random) -> None:
    known: list[bytes] = []
    counter = 1
    served = False
    for _ in range(25):
        twin.cut(
            dice.choice([0, dice.randint(1, 8), dice.randint(1, 300)]),
            dice.randint(0, 2),
            dice.randint(0, 999),
        )
        try:
            action = dice.choice(["update", "update", "start", "start", "confirm"])
            if action == "update":
                counter += dice.randint(0, 1)
                slot = 1 if twin.active == 0 else 0
                known.append(image(twin, slot, counter=counter, size=dice.choice([600, 1500, 5000])))
                twin.upload(known[-1], chunk=dice.choice([64, 512, 1024]))
            elif action == "start":
                twin.start(dice.choice([Reason.RESET, Reason.RESET, Reason.FAULT]))
            else:
                twin.confirm()
        except PowerCut:
            twin.cut(0)
            twin.start()
        served = served or Phase.CONFIRMED in (twin.phase(0), twin.phase(1))
        assert not served or twin.active != NO_SLOT
        if twin.active != NO_SLOT:
            assert twin.serves(twin.active)
            assert any(twin.slot(twin.active, len(made)) == made for made in known)
    assert twin.violations == 0
