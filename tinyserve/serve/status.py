# SPDX-License-Identifier: Apache-2.0
"""The fleet's state at a moment: for the status page, and `tinyserve fleet status`."""

from __future__ import annotations

import time

import msgspec

from tinyserve.serve.gateway import Gateway
from tinyserve.serve.member import Member, State
from tinyserve.serve.pool import Pool


class MemberStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``reason``: why it does not serve. ``bound_ms``: what an inference is reckoned to take it at most."""

    name: str
    model: str
    group: str
    kind: str
    board: str
    link: str
    state: State
    reason: str
    retry_in_s: float
    inferences: int
    faults: int
    bound_ms: float
    description: str
    firmware: str
    version: str


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``input_shapes``: of one sample, by the inputs' names. ``drift``: what has moved from the data that the
    model was made with."""

    name: str
    version: str
    state: str
    reason: str
    sha256: str
    waiting: int
    inferences: int
    input_shapes: dict[str, list[int]]
    drift: list[str]
    members: list[MemberStatus]


class FleetStatus(msgspec.Struct, frozen=True):
    """All of fleet.toml's models."""

    draining: bool
    models: list[ModelStatus]


def of(gateway: Gateway) -> FleetStatus:
    """As things stand now."""
    pools = {pool.model.name: pool for pool in gateway.pools()}
    models = []
    for one in gateway.index():
        pool = pools.get(one.name)
        models.append(
            ModelStatus(
                name=one.name, version=one.version, state=one.state, reason=one.reason,
                sha256=pool.model.sha256 if pool else "", waiting=pool.waiting if pool else 0,
                inferences=gateway.observer.statistics[one.name].compute.count,
                input_shapes={info.name: info.shape for info in pool.model.inputs} if pool else {},
                drift=_drift(pool) if pool else [], members=_members(pool) if pool else [],
            )
        )  # fmt: skip
    return FleetStatus(gateway.is_draining, models)


def _drift(pool: Pool) -> list[str]:
    if pool.drift is None:
        return []
    return [f"{finding.what}: {finding.words}" for finding in pool.drift.verdict().findings]


def _members(pool: Pool) -> list[MemberStatus]:
    return [_member(member) for member in pool.members.values()]


def _member(member: Member) -> MemberStatus:
    identity = member.identity
    is_broken = member.state == "broken"
    return MemberStatus(
        name=member.name, model=member.spec.model, group=member.spec.group, kind=member.kind,
        board=member.spec.board, link=member.spec.link, state=member.state, reason=member.reason,
        retry_in_s=round(max(0.0, member.retry_at_s - time.monotonic()), 1) if is_broken else 0.0,
        inferences=member.inferences, faults=member.faults,
        bound_ms=round(member.bound_s * 1e3, 3) if member.state == "ready" else 0.0,
        description=identity.description if identity else "", firmware=identity.firmware if identity else "",
        version=identity.version if identity else "",
    )  # fmt: skip
