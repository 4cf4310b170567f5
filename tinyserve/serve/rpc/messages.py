# SPDX-License-Identifier: Apache-2.0
"""The protocol's messages, made of oip.binpb when the program starts.

Compiled Python code would want one range of protobuf versions, and would clash with the same definition in a
client that is imported beside it: these messages live in a pool of their own. oip.binpb is `python -m
grpc_tools.protoc -I. --descriptor_set_out=oip.binpb oip.proto`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"
DESCRIPTORS = Path(__file__).with_name("oip.binpb")


def _load() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
    for file in files.file:
        pool.Add(file)
    return pool


POOL = _load()


def message(name: str) -> Any:
    """The class of a message of the protocol. Its fields are as oip.proto has them, and of no static type."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))
