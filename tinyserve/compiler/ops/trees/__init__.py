"""Decision trees as one operator."""
