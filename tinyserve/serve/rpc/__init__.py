# SPDX-License-Identifier: Apache-2.0
"""The fleet over gRPC: the Open Inference Protocol, health, and reflection."""
