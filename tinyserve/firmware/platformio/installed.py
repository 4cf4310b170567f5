# SPDX-License-Identifier: Apache-2.0
"""Which packages a PlatformIO environment still needs, asked of PlatformIO's own resolver; no network.

Runs in a process of its own, since PlatformIO keeps its configuration in globals:
``python -m tinyserve.firmware.platformio.installed ENVIRONMENT`` in the project's directory prints a JSON
list.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

_LOCAL = ("symlink://", "file://")


def missing(environment: str) -> list[str]:
    """Kinds and names of what is not installed ("platform nordicnrf52", "framework framework-arduino-mbed").

    A platform says what else it needs only once it is there itself.
    """
    from platformio.dependencies import get_core_dependencies
    from platformio.package.manager.tool import ToolPackageManager
    from platformio.package.meta import PackageSpec
    from platformio.platform.exception import UnknownPlatform
    from platformio.platform.factory import PlatformFactory
    from platformio.project.config import ProjectConfig

    scons = "tool-scons"
    spec = PackageSpec(owner="platformio", name=scons, requirements=get_core_dependencies()[scons])
    lacking = [] if ToolPackageManager().get_package(spec) else [f"tool {scons}"]
    try:
        platform = PlatformFactory.from_env(environment, targets=["upload"])
    except UnknownPlatform:
        name = ProjectConfig.get_instance().get(f"env:{environment}", "platform")
        return [*lacking, f"platform {name}"]
    for name, options in platform.packages.items():
        if not options.get("optional") and not platform.get_package(name):
            lacking.append(f"{platform.get_package_type(name) or 'package'} {name}")
    return lacking + _missing_libraries(environment)


def _missing_libraries(environment: str) -> list[str]:
    """Entries of ``lib_deps`` that are not there yet and don't lie on this computer."""
    from platformio.package.manager.library import LibraryPackageManager
    from platformio.package.meta import PackageSpec
    from platformio.project.config import ProjectConfig

    config = ProjectConfig.get_instance()
    installed = LibraryPackageManager(str(Path(config.get("platformio", "libdeps_dir")) / environment))
    specs = {entry: PackageSpec(entry) for entry in config.get(f"env:{environment}", "lib_deps")}
    return [
        f"library {entry}"
        for entry, spec in specs.items()
        if not (spec.uri or "").startswith(_LOCAL) and not installed.get_package(spec)
    ]


if __name__ == "__main__":
    print(json.dumps(missing(sys.argv[1])))
