# SPDX-License-Identifier: Apache-2.0
"""How a model fares in the field: counters from devices beside the profile of the data it was made with."""
