"""PlatformIO development platform for emulated boards. Compilers come from the system: it has no packages."""

from platformio.public import PlatformBase


class TinyservePlatform(PlatformBase):
    """Boards are boards/*.json, the build is builder/main.py."""

    def is_embedded(self):
        """No program of this computer, though nothing is flashed."""
        return True
