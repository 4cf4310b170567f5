# SPDX-License-Identifier: Apache-2.0
"""The device under test: the client side of docs/protocol.md."""

from tinyserve.devices.client.answers import DeviceInfo, LayerTicks, MemoryUse, MlperfRun
from tinyserve.devices.client.client import Client

__all__ = ["Client", "DeviceInfo", "LayerTicks", "MemoryUse", "MlperfRun"]
