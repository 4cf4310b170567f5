# SPDX-License-Identifier: Apache-2.0
"""Trains the two stages of a cascade on a stream of sound that it makes itself: two words among hums.

    python examples/cascade/train.py --out build/cascade

"up" is a voice that rises, "down" one that falls. Writes wake.joblib and verify.joblib, wake.npz and
verify.npz (raw sound of the training stream, a hop of 320 samples per row, with labels) and test.npz (another
stream, with the word of each hop), and copies the specifications and pipeline.toml there.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinyserve.features import spec
from tinyserve.features.run import FeatureRunner

Array = npt.NDArray[Any]
RATE, HOP = 16_000, 320
WORD = 20  # hops that a word lasts
WORDS = ("nothing", "up", "down")
HERE = Path(__file__).parent


def voice(kind: int, rng: np.random.Generator) -> Array:
    """A word of 400 ms: a tone with overtones that rises (1), falls (2), or stays where it is (0)."""
    low, high = 350 * rng.uniform(0.85, 1.2), 1500 * rng.uniform(0.85, 1.2)
    start, end = {1: (low, high), 2: (high, low), 0: (level := rng.uniform(low, high), level)}[kind]
    t = np.arange(WORD * HOP) / RATE
    phase = 2 * np.pi * np.cumsum(np.linspace(start, end, len(t))) / RATE
    tone = sum(np.sin(k * phase) / k for k in (1, 2, 3))
    return tone * np.sin(np.pi * t / t[-1]) ** 0.5 * rng.uniform(0.1, 0.35)


def stream(words: int, seed: int) -> tuple[Array, Array, Array]:
    """Sound (hops, 320) int16; of each hop whether a voice is heard, and the word that has just been said."""
    rng = np.random.default_rng(seed)
    sound, loud, said = [], [], []
    for _ in range(words):
        quiet = int(rng.integers(20, 60))
        kind = int(rng.integers(3))
        sound += [np.zeros(quiet * HOP), voice(kind, rng)]
        loud += [0] * quiet + [1] * WORD
        said += [0] * (quiet + WORD - 6) + [kind] * 6
    wave = np.concatenate(sound)
    wave = wave + rng.normal(size=len(wave)) * 0.004
    return (wave * 32767).astype(np.int16).reshape(-1, HOP), np.array(loud), np.array(said)


def network(*hidden: int) -> Any:
    return make_pipeline(StandardScaler(), MLPClassifier(hidden, max_iter=40, random_state=1))


def train(out: Path) -> None:
    raw, loud, said = stream(140, seed=1)
    wake, verify = (spec.load(HERE / f"{name}.toml") for name in ("wake", "verify"))
    heard = FeatureRunner(wake).run(raw).reshape(len(raw), -1)
    cepstrum = FeatureRunner(verify).run(raw).reshape(len(raw), -1)
    first, second = network(4).fit(heard, loud), network(128, 64).fit(cepstrum, said)

    out.mkdir(parents=True, exist_ok=True)
    joblib.dump(first, out / "wake.joblib")
    joblib.dump(second, out / "verify.joblib")
    test, _, words = stream(40, seed=2)
    np.savez_compressed(out / "wake.npz", x=raw[:3000], y=loud[:3000])
    np.savez_compressed(out / "verify.npz", x=raw[:3000], y=said[:3000])
    np.savez_compressed(out / "test.npz", x=test, y=words)
    (out / "words.txt").write_text("\n".join(WORDS) + "\n")
    for name in ("wake.toml", "verify.toml", "pipeline.toml"):
        shutil.copy(HERE / name, out / name)
    share = second.score(FeatureRunner(verify).run(test).reshape(len(test), -1), words)
    print(f"cascade: {len(raw) / 50:.0f} s of sound, words of hops right: {share:.1%} -> {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a wake stage and its verifier.")
    parser.add_argument("--out", type=Path, default=Path("build/cascade"))
    train(parser.parse_args().out)


if __name__ == "__main__":
    main()
