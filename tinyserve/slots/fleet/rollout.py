# SPDX-License-Identifier: Apache-2.0
"""Brings a model to a fleet in stages: on trial, watched, confirmed. Ends at the first device that takes it
back, refuses it, or sees drift; what a stage has on trial then goes back to the model before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tinyserve.devices.smp.commands import Phase, SmpDevice
from tinyserve.errors import DeviceError, RefusedError, TinyserveError, UsageError
from tinyserve.health.counters import read
from tinyserve.health.profile import Profile
from tinyserve.health.verdict import LEAST_LOOKS, Verdict, judge
from tinyserve.progress import Progress, silent
from tinyserve.slots.connection import connect
from tinyserve.slots.fleet.config import Device
from tinyserve.slots.fleet.record import ENDED, Entry, Event, Record
from tinyserve.slots.read import ImageFile
from tinyserve.slots.reasons import words
from tinyserve.slots.update import NO_SLOT, update
from tinyserve.words import counted


@dataclass(frozen=True)
class Plan:
    """``sizes``: devices after each stage. ``wait_s``: between the last trial of a stage and its check.
    ``reference``: what the devices' counters are compared with; None: they are not."""

    images: Sequence[ImageFile]
    sizes: Sequence[int]
    wait_s: float = 0.0
    reference: Profile | None = None
    labels: Sequence[str] = ()


@dataclass
class Rollout:
    """The state of one. ``say`` gets each entry of the record as it is made."""

    devices: Sequence[Device]
    plan: Plan
    record: Record
    say: Callable[[Entry], None] = lambda _: None
    progress: Progress = silent
    sleep: Callable[[float], None] = time.sleep
    _stage: int = field(default=0, init=False)

    def run(self) -> list[str]:
        """Goes on where the record ends; the names of the devices that could not be reached.

        Raises RefusedError where a device ended it, now or before; DeviceError where no device of a stage
        could be reached; FileSystemError.
        """
        self._refuse_ended()
        absent: list[str] = []
        before = 0
        for size in self.plan.sizes:
            self._stage = size
            members = self.devices[before:size]
            before = size
            reached = self._run_stage(members)
            absent += [device.name for device in members if device not in reached]
            if members and not reached:
                raise DeviceError(
                    f"no device of the stage of {size} can be reached: {', '.join(absent)}",
                    "connect them, and run the same command again",
                )
        return absent

    def _refuse_ended(self) -> None:
        for device in self.devices:
            last = self.record.last(device.name)
            if last is not None and last.event in ENDED:
                raise RefusedError(
                    f"{device.name} has ended this rollout at {last.time}: {last.event}: {last.detail}",
                    "make a better image (another model begins anew), or name another --record",
                )

    def _run_stage(self, members: Sequence[Device]) -> list[Device]:
        """Those that were reached."""
        todo = [device for device in members if not self._is_confirmed(device)]
        tried: list[Device] = []
        for device in todo:
            try:
                if self._try(device):
                    tried.append(device)
            except RefusedError:
                self._take_back(tried)
                raise
        if tried and self.plan.wait_s:
            self.progress(f"watching {counted(len(tried), 'device')}")
            self.sleep(self.plan.wait_s)
        confirmed: list[Device] = []
        for index, device in enumerate(tried):
            try:
                if self._confirm(device):
                    confirmed.append(device)
            except RefusedError:
                self._take_back(tried[index + 1 :])
                raise
        return [device for device in members if device not in todo or device in confirmed]

    def _is_confirmed(self, device: Device) -> bool:
        last = self.record.last(device.name)
        return last is not None and last.event == "confirmed"

    def _note(self, device: Device, event: Event, detail: str = "") -> None:
        self.say(self.record.add(device.name, self._stage, event, detail))

    def _try(self, device: Device) -> bool:
        """Puts the image on a device, unless it is there, and restarts it; False where it is not reached."""
        try:
            with connect(device.target) as board:
                self.progress(device.name)
                done = update(board, self.plan.images, confirm=False, progress=self.progress)
                if not done.was_there:
                    board.reset()
                    self._note(device, "on trial", f"slot {done.slot}")
                if self.plan.reference is not None and not done.was_there:
                    board.clear_health()
        except RefusedError as error:
            self._note(device, "refused", error.message)
            raise
        except UsageError as error:  # of another board, or with a trial of another model
            self._note(device, "refused", error.message)
            raise RefusedError(f"{device.name}: {error.message}", error.hint) from error
        except TinyserveError as error:
            self._note(device, "unreachable", error.message)
            return False
        return True

    def _confirm(self, device: Device) -> bool:
        """False where the device is not reached any more. Raises RefusedError where it has taken the model
        back, or sees drift."""
        try:
            with connect(device.target) as board:
                reason = self._taken_back(board)
                if reason:
                    self._note(device, "reverted", reason)
                    raise RefusedError(f"{device.name} went back to the model before: {reason}", "see slots")
                verdict = self._verdict(board)
                if verdict is not None and verdict.findings:
                    with suppress(DeviceError):
                        board.revert()
                    drift = "; ".join(f"{finding.what} {finding.words}" for finding in verdict.findings)
                    self._note(device, "drift", drift)
                    raise RefusedError(f"{device.name} sees drift: {drift}", "tinyserve health shows it")
                board.confirm()
        except RefusedError:
            raise
        except TinyserveError as error:
            self._note(device, "unreachable", error.message)
            return False
        self._note(device, "confirmed", _unseen(verdict))
        return True

    def _taken_back(self, board: SmpDevice) -> str:
        """Why the new model does not serve; "" where it does."""
        state = board.slots()
        hashes = {image.hash for image in self.plan.images}
        if state.active != NO_SLOT and state.slots[state.active].hash in hashes:
            return ""
        for slot in state.slots:
            if slot.hash in hashes and slot.phase == Phase.REFUSED:
                return words(slot.reason, slot.detail)[0]
        return "it serves another model"

    def _verdict(self, board: SmpDevice) -> Verdict | None:
        """What its counters say; None where they are not watched."""
        if self.plan.reference is None:
            return None
        state = board.health()
        return judge(self.plan.reference, read(state.data, state.sha256), self.plan.labels)

    def _take_back(self, members: Sequence[Device]) -> None:
        """Those of the stage that are still on trial go back to the model before, where they can be
        reached; else they do so themselves after three starts."""
        for device in members:
            with suppress(TinyserveError), connect(device.target) as board:
                state = board.slots()
                if state.active != NO_SLOT and state.slots[state.active].phase == Phase.TRIAL:
                    board.revert()
                    self._note(device, "taken back", "another device has ended the rollout")


def _unseen(verdict: Verdict | None) -> str:
    """That a confirmed model was watched in vain."""
    if verdict is None or verdict.state != "too few":
        return ""
    seen = counted(verdict.looked_at, "inference was", "inferences were")
    return f"no verdict on drift: {seen} looked at, {LEAST_LOOKS} are needed; a longer --wait gives one"
