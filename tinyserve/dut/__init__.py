"""The device under test: the client side of docs/protocol.md."""

from tinyserve.dut.answers import DeviceInfo, LayerTicks, MemoryUse, MlperfRun
from tinyserve.dut.client import Client

__all__ = ["Client", "DeviceInfo", "LayerTicks", "MemoryUse", "MlperfRun"]
