# SPDX-License-Identifier: Apache-2.0
"""Trains a random forest on scikit-learn's wines: 178 real samples of 13 measurements, well under a second.

    python examples/forest/train.py --out build/forest

writes forest.joblib (scaler and forest), calib.npz (training samples ``x``) and test.npz (held-out samples
``x`` and labels ``y``), all in the units that were measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 1


def train(out: Path) -> None:
    samples, labels = load_wine(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        samples.astype(np.float32), labels, test_size=60, random_state=SEED, stratify=labels
    )
    # Trees need no scaler: it is here to show that it costs nothing on the device.
    model = make_pipeline(StandardScaler(), RandomForestClassifier(15, max_depth=5, random_state=SEED))
    model.fit(x_train, y_train)

    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "calib.npz", x=x_train)
    np.savez_compressed(out / "test.npz", x=x_test, y=y_test)
    joblib.dump(model, out / "forest.joblib")
    accuracy = model.score(x_test, y_test)
    print(f"forest: {len(model[-1].estimators_)} trees, test accuracy {accuracy:.1%} -> {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a wine classifier.")
    parser.add_argument("--out", type=Path, default=Path("build/forest"))
    train(parser.parse_args().out)


if __name__ == "__main__":
    main()
