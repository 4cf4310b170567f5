# SPDX-License-Identifier: Apache-2.0
"""Samples from an MQTT broker, and predictions to one."""
