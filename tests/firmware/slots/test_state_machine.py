# SPDX-License-Identifier: Apache-2.0
"""Anything that a host, an attacker on the line and the power do, in any order: what serves was signed and
proved, and what was confirmed once leaves the device with a model."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.firmware.slots.twin import OTHER_KEY, Answer, PowerCut, Twin, image
from tinyserve.devices.smp.commands import Phase
from tinyserve.slots.reasons import Reason
from tinyserve.slots.update import NO_SLOT

CHUNKS = st.sampled_from([64, 512, 1024])
SIZES = st.sampled_from([600, 1500, 4000])
_OLDER_SIZE, _WRONG_SIZE = 777, 888
"""Of images that must not serve, so that no good image has the same bytes."""


class Device(RuleBasedStateMachine):
    """``good``: images that may serve. Everything else may not."""

    library: ctypes.CDLL

    def __init__(self) -> None:
        super().__init__()
        self.twin = Twin(self.library)
        self.twin.model_gives()
        self.good: list[bytes] = []
        self.counter = 1
        self.highest = 0
        self.was_confirmed = False
        self.last: Answer | None = None

    def attempt(self, act: Callable[[], Answer]) -> None:
        """With a power cut, where one comes, and the start after it."""
        try:
            self.last = act()
        except PowerCut:
            self.last = None
            self.twin.cut(0)
            self.twin.start()

    @property
    def free(self) -> int:
        return 1 if self.twin.active == 0 else 0

    def made(self, size: int, newer: int) -> bytes:
        self.counter = max(self.counter, self.twin.counter) + newer
        self.good.append(image(self.twin, self.free, counter=self.counter, size=size))
        return self.good[-1]

    @rule(operation=st.integers(1, 60), how=st.integers(0, 2), seed=st.integers(0, 999))
    def the_power_will_go(self, operation: int, how: int, seed: int) -> None:
        self.twin.cut(operation, how, seed)

    @rule(size=SIZES, newer=st.integers(0, 2), chunk=CHUNKS)
    def an_image_is_uploaded(self, size: int, newer: int, chunk: int) -> None:
        made = self.made(size, newer)
        self.attempt(lambda: self.twin.upload(made, chunk=chunk))

    @precondition(lambda self: self.good)
    @rule(chunk=CHUNKS)
    def the_last_one_is_uploaded_again(self, chunk: int) -> None:
        self.attempt(lambda: self.twin.upload(self.good[-1], chunk=chunk))

    @rule(size=SIZES, share=st.floats(0, 1))
    def an_upload_is_left_alone(self, size: int, share: float) -> None:
        made = self.made(size, 0)
        self.attempt(lambda: self.twin.begin(made))
        if self.last is Answer.DONE:
            at = self.twin.received
            piece = made[at : at + int(size * share) // 8 * 8]
            self.attempt(lambda: self.twin.receive(at, piece))

    @rule(changed=st.integers(0, 1_000_000), bit=st.integers(0, 7))
    def a_tampered_image_is_refused(self, changed: int, bit: int) -> None:
        data = bytearray(image(self.twin, self.free, counter=self.counter + 1, size=1000))
        data[changed % 1000] ^= 1 << bit
        self.refused(bytes(data))

    @rule(
        changes=st.sampled_from(
            [{"key": OTHER_KEY}, {"abi": 9}, {"core": "cortex-m0"}, {"arena_bytes": 1 << 20}]
        )
    )
    def an_image_of_others_is_refused(self, changes: dict[str, object]) -> None:
        self.refused(image(self.twin, self.free, counter=self.counter + 1, size=1000, **changes))

    @precondition(lambda self: self.twin.counter > 0)
    @rule()
    def an_older_image_is_refused(self) -> None:
        self.refused(image(self.twin, self.free, counter=self.twin.counter - 1, size=_OLDER_SIZE))

    @rule()
    def wrong_bytes_are_refused(self) -> None:
        made = image(self.twin, self.free, counter=self.counter + 1, size=_WRONG_SIZE)
        self.twin.model_gives(3)
        self.refused(made)
        self.twin.model_gives()

    def refused(self, made: bytes) -> None:
        before, slot = self.twin.active, self.free
        on_trial = before != NO_SLOT and self.twin.phase(before) is Phase.TRIAL
        self.attempt(lambda: self.twin.upload(made))
        assert self.last is not Answer.DONE
        assert self.last is not Answer.REFUSED or self.twin.phase(slot) is Phase.REFUSED
        if not on_trial:  # a power cut is a boot, and boots end trials
            assert self.twin.active == before

    @rule(offset=st.integers(0, 8000), piece=st.binary(max_size=300))
    def bytes_come_from_nowhere(self, offset: int, piece: bytes) -> None:
        self.attempt(lambda: self.twin.receive(offset, piece))

    @rule(piece=st.binary(min_size=64, max_size=64))
    def bytes_come_into_an_upload(self, piece: bytes) -> None:
        at = self.twin.received
        self.attempt(lambda: self.twin.receive(at, piece))

    @rule()
    def a_host_takes_what_there_is(self) -> None:
        self.attempt(self.twin.take)

    @rule()
    def a_host_confirms(self) -> None:
        self.attempt(self.twin.confirm)

    @rule()
    def a_host_goes_back(self) -> None:
        self.attempt(lambda: self.twin.revert(Reason.BY_HOST))

    @rule(reason=st.sampled_from([Reason.RESET, Reason.FAULT, Reason.TIME_OUT]))
    def it_starts(self, reason: Reason) -> None:
        self.attempt(lambda: self.twin.start(reason))

    @precondition(
        lambda self: self.twin.active != NO_SLOT and self.twin.phase(self.twin.active) is Phase.TRIAL
    )
    @rule()
    def four_starts_end_a_trial(self) -> None:
        slot = self.twin.active
        for _ in range(4):
            self.attempt(self.twin.start)
        assert self.twin.active != slot or self.twin.phase(slot) is not Phase.TRIAL

    @invariant()
    def what_serves_was_signed_and_proved(self) -> None:
        twin = self.twin
        assert twin.violations == 0
        self.was_confirmed |= Phase.CONFIRMED in (twin.phase(0), twin.phase(1))
        assert twin.counter >= self.highest
        self.highest = twin.counter
        if twin.active == NO_SLOT:
            assert not self.was_confirmed
            return
        assert twin.phase(twin.active) in (Phase.TRIAL, Phase.CONFIRMED)
        assert twin.serves(twin.active)
        assert any(twin.slot(twin.active, len(one)) == one for one in self.good)


def test_whatever_happens_in_whatever_order(twin_library: ctypes.CDLL) -> None:
    bound = type("Bound", (Device,), {"library": twin_library})
    run_state_machine_as_test(
        bound, settings=settings(max_examples=60, stateful_step_count=25, deadline=None)
    )
