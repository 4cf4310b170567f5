# SPDX-License-Identifier: Apache-2.0
"""How far a converted model is from its original, and what that means for a user."""
