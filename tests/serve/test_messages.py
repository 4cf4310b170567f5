# SPDX-License-Identifier: Apache-2.0
"""The compiled definition is that of oip.proto, and agrees with Triton's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tritonclient.grpc import model_config_pb2, service_pb2

from tinyserve.serve.rpc.messages import DESCRIPTORS, PACKAGE, POOL


def test_the_compiled_definition_is_up_to_date(tmp_path: Path) -> None:
    made = tmp_path / "oip.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--descriptor_set_out={made}", "oip.proto"]
    subprocess.run(command, cwd=DESCRIPTORS.parent, check=True, timeout=60)
    assert made.read_bytes() == DESCRIPTORS.read_bytes()


def test_fields_have_tritons_numbers_and_types() -> None:
    theirs = {
        **service_pb2.DESCRIPTOR.message_types_by_name,
        **model_config_pb2.DESCRIPTOR.message_types_by_name,
    }
    ours = POOL.FindFileByName("oip.proto").message_types_by_name
    assert len(ours) > 30
    for name, message in ours.items():
        for field in message.fields:
            other = theirs[name].fields_by_name[field.name]
            assert (field.number, field.type, field.is_repeated) == (
                other.number,
                other.type,
                other.is_repeated,
            )


def test_the_service_has_tritons_methods_but_for_those_named() -> None:
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
    ours = POOL.FindServiceByName(f"{PACKAGE}.GRPCInferenceService").methods_by_name
    missing = {name for name in theirs if "SharedMemory" not in name} - set(ours)
    assert missing == {"TraceSetting", "LogSettings"}
