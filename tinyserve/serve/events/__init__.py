# SPDX-License-Identifier: Apache-2.0
"""What happened in models' inferences: told to those who subscribed, and asked for on the gateway."""
