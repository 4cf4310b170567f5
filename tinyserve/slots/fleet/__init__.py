# SPDX-License-Identifier: Apache-2.0
"""Many devices with slots: updated in stages, and watched together."""
