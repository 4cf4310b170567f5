# SPDX-License-Identifier: Apache-2.0
"""What the server, its repository and its models say of themselves, as Triton's extensions of the protocol
have it: the same over REST and gRPC."""

from __future__ import annotations

from collections.abc import Iterable

from tinyserve import __version__
from tinyserve.serve.config import Limits
from tinyserve.serve.errors import RequestError
from tinyserve.serve.gateway import Gateway
from tinyserve.serve.observe.observer import Duration, Observer
from tinyserve.serve.pool import Pool
from tinyserve.serve.served import DATATYPES

EXTENSIONS = (
    "binary_tensor_data", "classification", "model_repository", "model_repository(unload_dependents)",
    "schedule_policy", "sequence", "statistics",
)  # fmt: skip


def server() -> dict[str, object]:
    """The server's metadata."""
    return {"name": "tinyserve", "version": __version__, "extensions": list(EXTENSIONS)}


def index(gateway: Gateway, only_ready: bool) -> list[dict[str, object]]:
    """The repository's models."""
    found = [one for one in gateway.index() if one.state == "READY" or not only_ready]
    return [{"name": o.name, "version": o.version, "state": o.state, "reason": o.reason} for o in found]


def check_loading(parameters: Iterable[str]) -> None:
    """Raises RequestError for parameters that would change what is loaded (config, files): they would have no
    effect."""
    unknown = sorted(set(parameters) - {"unload_dependents"})
    if unknown:
        raise RequestError(
            f"parameter {unknown[0][:80]!r}: models are loaded as fleet.toml describes them",
            "change fleet.toml, and start the server anew",
        )


def statistics(pool: Pool, observer: Observer) -> dict[str, object]:
    """What the model has answered. compute_input is the way to the member and back."""
    found = observer.statistics[pool.model.name]
    return {
        "name": pool.model.name,
        "version": pool.model.version,
        "last_inference": round(pool.last_inference_s * 1e3),
        "inference_count": found.compute.count,
        "execution_count": found.compute.count,
        "inference_stats": {
            "success": _duration(found.success),
            "fail": _duration(found.fail),
            "queue": _duration(found.queue),
            "compute_input": _duration(found.link),
            "compute_infer": _duration(found.compute),
            "compute_output": _duration(Duration()),
            "cache_hit": _duration(found.cache_hit),
            "cache_miss": _duration(found.cache_miss),
        },
    }


def all_statistics(gateway: Gateway) -> list[dict[str, object]]:
    """Of each loaded model."""
    return [statistics(pool, gateway.observer) for pool in gateway.pools()]


def config(pool: Pool, limits: Limits) -> dict[str, object]:
    """The model as Triton's configuration describes it: without the sample axis where there is one."""
    model = pool.model
    skipped = 1 if model.batches else 0
    sides: list[list[dict[str, object]]] = [
        [
            {"name": info.name, "data_type": f"TYPE_{DATATYPES[info.dtype]}", "dims": info.shape[skipped:]}
            for info in side
        ]
        for side in (model.inputs, model.outputs)
    ]
    if model.label_output:
        sides[1].append({"name": model.label_output, "data_type": "TYPE_STRING", "dims": [1]})
    return {
        "name": model.name,
        "platform": "tinyserve",
        "backend": "tinyserve",
        "max_batch_size": limits.batch if model.batches else 0,
        "input": sides[0],
        "output": sides[1],
    }


def _duration(found: Duration) -> dict[str, int]:
    return {"count": found.count, "ns": found.ns}
