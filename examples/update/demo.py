# SPDX-License-Identifier: Apache-2.0
"""A device that is updated, proves itself, and says how it is: all of it on the twin of a Nano 33 BLE.

    make demo-update                     # or: python examples/update/demo.py --out build/update

Trains two classifiers of handwritten digits, builds firmware with slots, puts the first model on it and then
the second, with the power cut in the middle; shows three images that the device refuses; and finds the drift
of images that are too bright.
"""

from __future__ import annotations

import argparse
import shlex
import struct
import sys
import warnings
from pathlib import Path

import numpy as np

from tinyserve import bundle
from tinyserve.cli.main import main as tinyserve
from tinyserve.devices.emulators.controller import Cut, When
from tinyserve.devices.link import LinkClosed
from tinyserve.devices.smp.client import SmpClient
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.slots import keys, update
from tinyserve.slots.connection import KEPT_FILE, Target, connect, open_twin
from tinyserve.slots.image import Facts, Golden, sign

BOARD = "nano33"
CUT_AT = 2000  # the word that the power goes at
REFUSED, DRIFT = 10, 3
PASSES = 4


def train(out: Path) -> tuple[np.ndarray, np.ndarray]:
    """Two classifiers with other random weights. Returns held-out images (N, 64) in 0..1 and their digits."""
    import joblib
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    digits = load_digits()
    images = (digits.images / 16).reshape(-1, 64).astype(np.float32)
    known, held, answers, wanted = train_test_split(images, digits.target, test_size=360, random_state=1)
    out.mkdir(parents=True, exist_ok=True)
    for seed in (1, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # forty rounds do, and it says that more would be better
            made = MLPClassifier((64, 64), max_iter=40, random_state=seed).fit(known, answers)
        joblib.dump(made, out / f"digits{seed}.joblib")
    np.savez_compressed(out / "calib.npz", x=known)
    return held, wanted


def run(*arguments: object, status: int = 0) -> None:
    """A command, as one would type it; the demo ends where its exit status is another."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ tinyserve {shlex.join(words)}", flush=True)
    found = tinyserve(words)
    if found != status:
        raise SystemExit(f"exit status {found} where {status} was expected")


def say(text: str) -> None:
    print(f"\n-- {text}", flush=True)


def signed_anew(image: update.ImageFile, key: Path, to: Path) -> None:
    """An image whose golden vector says something else, properly signed: as if the build had gone wrong."""
    data = image.data
    head, protected, size = struct.unpack_from("<HHI", data, 8)
    body = bytearray(data[head : head + size])
    tlvs = data[head + size : head + size + protected]
    at = tlvs.index(struct.pack("<HH", 0x54A5, 12)) + 4
    golden = Golden(*struct.unpack_from("<III", tlvs, at))
    body[golden.offset + golden.input_bytes + 3] ^= 0x40
    facts = Facts(
        image.model_sha256,
        image.abi,
        "cortex-m4",
        image.slot_address,
        image.arena_bytes,
        image.counter,
        golden,
    )
    to.write_bytes(sign(bytes(body), facts, keys.private(key)))


def cut_the_power(twin: Path, images: Path) -> None:
    """An update that ends where the power does."""
    with open_twin(twin) as device:
        device.machine.controller.cut = Cut(CUT_AT, When.INSIDE)
        device.machine.controller.count = 0
        try:
            update.update(SmpDevice(SmpClient(device.link)), update.images(images))
        except LinkClosed as error:
            print(f"   {error.message.split(';')[0]}", flush=True)
            return
    raise SystemExit("the update did not lose its power")


def feed(twin: Path, made: Path, images: np.ndarray, wanted: np.ndarray | None = None) -> None:
    """Inferences of a bundle's model on the device; says how many are right."""
    codes = bundle.quantize(images, bundle.load(made).manifest.inputs[0])
    right = 0
    with connect(Target(twin=twin)) as device:
        for index, values in enumerate(codes):
            device.load(values.tobytes())
            device.infer()
            if wanted is not None and index < len(wanted):
                right += int(np.frombuffer(device.output(), np.int8).argmax() == wanted[index])
    if wanted is not None:
        print(f"   {right} of {len(wanted)} digits are right", flush=True)


def refusals(out: Path, twin: Path, key: Path) -> None:
    """Three images, three reasons."""
    first = out / "digits1.bundle"
    run("sign", first, "--board", BOARD, "--key", key, "--counter", 3, "-o", out / "third")
    with connect(Target(twin=twin)) as device:
        slot = update.free_slot(device.slots())
    third = out / "third" / f"slot{slot}.img"
    say("a byte of it is changed on its way")
    data = bytearray(third.read_bytes())
    data[1000] ^= 1
    (out / "tampered.img").write_bytes(data)
    run("update", out / "tampered.img", "--emulate", twin, status=REFUSED)
    say("it is older than what the device has confirmed")
    run("sign", first, "--board", BOARD, "--key", key, "--counter", 1, "-o", out / "older")
    run("update", out / "older", "--emulate", twin, status=REFUSED)
    say("it is signed well, and computes something else than it promises")
    signed_anew(update.images(third)[0], key, out / "wrong.img")
    run("update", out / "wrong.img", "--emulate", twin, status=REFUSED)


def demo(out: Path) -> None:
    held, wanted = train(out)
    second = out / "digits2.bundle"
    key, twin = out / "key.pem", out / "twin"
    for made in (key, keys.public_path(key), twin / KEPT_FILE):
        made.unlink(missing_ok=True)
    run("keys", "new", key)
    for seed in (1, 2):
        source, made = out / f"digits{seed}.joblib", out / f"digits{seed}.bundle"
        run("convert", source, "--trust", "--representative", out / "calib.npz", "-o", made)
        run("sign", made, "--board", BOARD, "--key", key, "--counter", seed, "-o", out / f"images{seed}")
    run("build", out / "digits1.bundle", "--board", BOARD, "--emulate", "--slots", f"{key}.pub", "-o", twin)
    run("update", out / "images1", "--emulate", twin)
    feed(twin, out / "digits1.bundle", held, wanted)
    say("an update to the second model loses its power on the way")
    cut_the_power(twin, out / "images2")
    run("slots", "--emulate", twin)
    say("the device still has the first; the update goes on where it was")
    run("update", out / "images2", "--emulate", twin)
    feed(twin, second, held, wanted)
    refusals(out, twin, key)
    run("slots", "--emulate", twin)
    say("images like those of the training")
    feed(twin, second, np.tile(held, (PASSES, 1)))
    run("health", second, "--emulate", twin, "--clear")
    say("and images that are too bright")
    feed(twin, second, np.clip(np.tile(held, (PASSES, 1)) + 0.2, 0, 1))
    run("health", second, "--emulate", twin, status=DRIFT)


def main() -> int:
    parser = argparse.ArgumentParser(description="Update a device, and see how it is.")
    parser.add_argument("--out", type=Path, default=Path("build/update"))
    demo(parser.parse_args().out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
