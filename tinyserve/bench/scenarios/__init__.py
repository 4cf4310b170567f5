# SPDX-License-Identifier: Apache-2.0
"""MLPerf scenarios: single-stream on a device, the others under a load generator or simulated."""
