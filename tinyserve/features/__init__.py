# SPDX-License-Identifier: Apache-2.0
"""Features: from raw samples to what a model takes, as part of its compiled graph.

A specification names the steps; they become operators in front of the model, so that training data, this
computer and every device get the same bytes from the same C.
"""
