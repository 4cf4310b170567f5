# SPDX-License-Identifier: Apache-2.0
"""The Arduino framework: a stub of its core."""

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
framework = env.PioPlatform().get_package_dir("framework-arduinoespressif32")
env.Append(CPPPATH=[framework])
env.Prepend(LIBS=[env.BuildLibrary("$BUILD_DIR/FrameworkArduino", framework)])
