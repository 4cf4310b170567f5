# SPDX-License-Identifier: Apache-2.0
"""A fleet of boards, twins and this computer behind the Open Inference Protocol."""
