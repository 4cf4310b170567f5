# SPDX-License-Identifier: Apache-2.0
"""How good a converted model is: the metrics of its task, and the limits that make it good or poor."""
