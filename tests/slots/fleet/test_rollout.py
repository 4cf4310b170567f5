# SPDX-License-Identifier: Apache-2.0
"""A fleet of twins is updated in stages: what stops it, what goes on after what has ended it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.slots.models import bundle_of, classifier
from tests.support import cache
from tinyserve.bundle import Bundle
from tinyserve.cli.main import main
from tinyserve.errors import DeviceError, RefusedError
from tinyserve.health import profile
from tinyserve.health.profile import PROFILE_FILE, profile_of
from tinyserve.resources import data_directory
from tinyserve.slots.connection import connect
from tinyserve.slots.fleet import config
from tinyserve.slots.fleet.record import Record
from tinyserve.slots.fleet.rollout import Plan, Rollout
from tinyserve.slots.update import images

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keys, two models, their images, and firmware; flash of 128 KB, whose slots are soon erased."""
    directory = tmp_path_factory.mktemp("fleet")
    text = (data_directory("boards") / "cortex-m0.toml").read_text(encoding="utf-8")
    flash = text.index("[flash]")
    start = text.index("bytes = ", flash)
    board = directory / "small.toml"
    board.write_text(text[:start] + "bytes = 147456\n" + text[text.index("\n", start) + 1 :], "utf-8")
    key = str(directory / "key.pem")
    with cache.own(tmp_path_factory):
        assert main(["keys", "new", key]) == 0
        for seed in (1, 2):
            with_profile(bundle_of(classifier(seed), directory, f"m{seed}"))
            made = ["sign", str(directory / f"m{seed}.bundle"), "--board", str(board), "--key", key]
            assert main([*made, "--counter", str(seed), "-o", str(directory / f"i{seed}")]) == 0
        assert main(["build", str(directory / "m1.bundle"), "--board", str(board), "--emulate",
                     "--slots", f"{key}.pub", "-o", str(directory / "firmware")]) == 0  # fmt: skip
        yield directory


def with_profile(bundle: Bundle) -> None:
    draw = np.random.default_rng(5)
    inputs = draw.normal(0, 25, (400, 16)).clip(-128, 127).astype(np.int8)
    (bundle.path / PROFILE_FILE).write_bytes(
        msgspec.json.encode(profile_of(inputs, np.zeros((0, 4), np.int8)))
    )


@pytest.fixture
def fleet(place: Path, tmp_path: Path) -> Path:
    """fleet.toml beside four twins, all with model 1, confirmed."""
    shutil.copytree(place / "firmware", tmp_path / "a")
    assert main(["update", str(place / "i1"), "--emulate", str(tmp_path / "a")]) == 0
    for name in NAMES[1:]:
        shutil.copytree(tmp_path / "a", tmp_path / name)
    path = tmp_path / "fleet.toml"
    path.write_text("".join(f'[devices.{name}]\ntwin = "{name}"\n' for name in NAMES), encoding="utf-8")
    return path


def served(fleet: Path) -> dict[str, tuple[str, int]]:
    """The model and the phase of each device's active slot."""
    found = {}
    for device in config.load(fleet):
        with connect(device.target) as board:
            state = board.slots()
            found[device.name] = (board.model().model, state.slots[state.active].phase)
    return found


def events(fleet: Path) -> list[tuple[str, int, str]]:
    lines = (fleet.parent / "fleet.rollout.jsonl").read_text(encoding="utf-8").splitlines()
    return [(one["device"], one["stage"], one["event"]) for one in map(json.loads, lines)]


CONFIRMED = 5


def live(device: config.Device, draw: np.random.Generator, shift: int, inputs: int = 60) -> None:
    """Inferences of data like the reference's, shifted. Health looks at one in some eighty."""
    with connect(device.target) as board:
        for _ in range(inputs):
            values = (draw.normal(0, 25, 16) + shift).clip(-128, 127).astype(np.int8)
            board.load(values.tobytes())
            for _ in range(3):
                board.infer(32)


def test_a_fleet_is_updated_in_stages(place: Path, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        "update",
        str(place / "i2"),
        "--fleet",
        str(fleet),
        "--canary",
        "1",
        "--then",
        "50%",
        "--then",
        "all",
    ]
    assert main(asked) == 0
    assert "4 of 4 devices" in capsys.readouterr().out
    assert served(fleet) == dict.fromkeys(NAMES, ("m2", CONFIRMED))
    stages = {"a": 1, "b": 2, "c": 4, "d": 4}
    assert [(name, stage) for name, stage, event in events(fleet) if event == "confirmed"] == list(
        stages.items()
    )
    before = events(fleet)
    assert main(asked) == 0
    assert events(fleet) == before, "nothing is done twice"


def rollout(place: Path, fleet: Path, **more: object) -> Rollout:
    offered = images(place / "i2")
    record = Record(fleet.parent / "fleet.rollout.jsonl", offered[0].model_sha256.hex())
    plan = Plan(offered, [1, 2, 4], 1.0, profile.load(place / "m2.bundle"))
    return Rollout(config.load(fleet), plan, record, **more)  # type: ignore[arg-type]


def test_a_device_that_takes_it_back_ends_it(place: Path, fleet: Path) -> None:
    """The second stage's device is reset three times while it is on trial."""
    stages: list[float] = []

    def sleep(seconds: float) -> None:
        stages.append(seconds)
        if len(stages) == 2:
            with connect(config.load(fleet)[1].target) as board:
                for _ in range(3):
                    board.reset()

    with pytest.raises(RefusedError, match="b went back to the model before: nobody confirmed it"):
        rollout(place, fleet, sleep=sleep).run()
    assert served(fleet) == {"a": ("m2", CONFIRMED)} | dict.fromkeys("bcd", ("m1", CONFIRMED))
    assert events(fleet)[-1] == ("b", 2, "reverted")
    with pytest.raises(RefusedError, match="b has ended this rollout"):
        rollout(place, fleet, sleep=sleep).run()


def test_drift_ends_it_and_what_is_on_trial_goes_back(place: Path, fleet: Path) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            live(config.load(fleet)[2], np.random.default_rng(2), 60)

    with pytest.raises(RefusedError, match="c sees drift: input 0 has moved up"):
        rollout(place, fleet, sleep=sleep).run()
    phases = served(fleet)
    assert [phases[name] for name in "ab"] == [("m2", CONFIRMED)] * 2
    record = (fleet.parent / "fleet.rollout.jsonl").read_text(encoding="utf-8")
    assert "no verdict on drift: 0 inferences were looked at, 30 are needed" in record, "a and b had no input"
    assert [phases[name] for name in "cd"] == [("m1", CONFIRMED)] * 2, "d was on trial, and is taken back"
    assert [event for name, _, event in events(fleet) if name == "d"] == ["on trial", "taken back"]


@pytest.mark.parametrize("moment", range(8))
def test_it_goes_on_where_it_was_ended(place: Path, fleet: Path, moment: int) -> None:
    """Killed before the record's entry of each step is written."""

    class Killed(BaseException):
        pass

    first = rollout(place, fleet, sleep=lambda _: None)
    whole = first.record.add

    def add(*entry: object) -> object:
        if len(first.record.entries) == moment:
            raise Killed
        return whole(*entry)  # type: ignore[arg-type]

    first.record.add = add  # type: ignore[assignment,method-assign]
    with pytest.raises(Killed):
        first.run()
    rollout(place, fleet, sleep=lambda _: None).run()
    assert served(fleet) == dict.fromkeys(NAMES, ("m2", CONFIRMED))
    confirmed = [name for name, _, event in events(fleet) if event == "confirmed"]
    assert sorted(confirmed) == list(NAMES)


def test_a_refusal_ends_it_before_the_next_device(
    place: Path, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(fleet.parent / "other.pem")
    assert main(["keys", "new", other]) == 0
    board = str(place / "small.toml")
    foreign = str(fleet.parent / "foreign")
    assert main(["sign", str(place / "m2.bundle"), "--board", board, "--key", other, "-o", foreign]) == 0
    capsys.readouterr()
    assert main(["update", foreign, "--fleet", str(fleet)]) == 10
    shown = capsys.readouterr()
    assert "a: refused (" in shown.out
    assert "a key that the device does not hold" in shown.err
    assert [name for name, _, _ in events(fleet)] == ["a"]
    assert served(fleet) == dict.fromkeys(NAMES, ("m1", CONFIRMED))


def test_devices_that_are_away_are_named_and_come_later(
    place: Path, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fleet.parent / "b").rename(fleet.parent / "away")
    asked = ["update", str(place / "i2"), "--fleet", str(fleet), "--canary", "1", "--then", "all"]
    assert main(asked) == 8
    shown = capsys.readouterr()
    assert "not reached: b" in shown.err
    (fleet.parent / "away").rename(fleet.parent / "b")
    assert main(asked) == 0
    assert served(fleet) == dict.fromkeys(NAMES, ("m2", CONFIRMED))


def test_a_canary_that_is_away_stops_it(place: Path, fleet: Path) -> None:
    (fleet.parent / "a").rename(fleet.parent / "away")
    with pytest.raises(DeviceError, match="no device of the stage of 1 can be reached: a"):
        rollout(place, fleet).run()
    assert [name for name, _, _ in events(fleet)] == ["a"]


def test_health_of_a_fleet_is_the_sum_and_each(
    place: Path, fleet: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    draw = np.random.default_rng(9)
    devices = config.load(fleet)
    live(devices[0], draw, 0)
    live(devices[3], draw, 60)
    (fleet.parent / "b").rename(fleet.parent / "away")
    report = tmp_path / "h.json"
    status = main(["health", str(place / "m1.bundle"), "--fleet", str(fleet), "--json", str(report)])
    shown = capsys.readouterr().out
    assert status == 3, "d pulls the sum along"
    assert "a: 5,760 inferences, no drift" in shown
    assert "c: 0 inferences, too few to tell" in shown
    assert "d: 5,760 inferences, drift: input 0 has moved up" in shown
    assert "b: " in shown and "holds no firmware" in shown
    assert json.loads(report.read_text(encoding="utf-8"))["counters"]["inferences"] == 2 * 5760


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--emulate", "x"], "leave --port and --emulate out"),
        (["--then", "none"], "--then none: no number of devices"),
        (["--watch", "M1"], "has another model"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_device(
    options: list[str], said: str, place: Path, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [str(place / "m1.bundle") if one == "M1" else one for one in options]
    assert main(["update", str(place / "i2"), "--fleet", str(fleet), *named]) in (2, 4)
    assert said in capsys.readouterr().err
    assert not (fleet.parent / "fleet.rollout.jsonl").exists()
