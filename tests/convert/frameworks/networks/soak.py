"""``make soak``: random networks through a front end, counted: converted, refused, wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.convert.frameworks.networks import onnx_networks
from tests.convert.frameworks.networks.reference import differences
from tinyserve.errors import TinyserveError


def main() -> int:
    """Exit status 1 where a network became another one, or under 95 % were converted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    told = parser.parse_args()
    counts, refused = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as directory:
        for seed in range(told.seed, told.seed + told.models):
            outcome, what = _outcome(seed, Path(directory))
            counts[outcome] += 1
            refused[what] += outcome == "refused"
            if outcome == "wrong":
                print(f"seed {seed}: {what}")
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    for what, count in refused.most_common(10):
        print(f"  {count} x {what}" if count else "", end="\n" if count else "")
    return int(counts["wrong"] > 0 or counts["converted"] < 0.95 * told.models)


def _outcome(seed: int, directory: Path) -> tuple[str, str]:
    try:
        found = differences(onnx_networks.network(seed), directory)
    except TinyserveError as error:
        return "refused", error.message[:160]
    wrong = [str(one) for one in found if not one.is_right]
    return ("wrong", "; ".join(wrong)) if wrong else ("converted", "")


if __name__ == "__main__":
    sys.exit(main())
