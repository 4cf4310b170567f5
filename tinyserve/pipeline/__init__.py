# SPDX-License-Identifier: Apache-2.0
"""Pipelines: several models as one graph, and so one C unit with one arena: cascades, votes, stacks, routers.

A stage that runs on a condition becomes the subgraph of an IF, whose memory its alternatives share.
"""
