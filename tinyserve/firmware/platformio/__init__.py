"""Real boards and twins through PlatformIO: its private core directory, its packages, builds and uploads."""
