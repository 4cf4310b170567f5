# SPDX-License-Identifier: Apache-2.0
"""What --representative and --dataset accept, as one array per model input."""
