"""Where each buffer of a program lies in the arena."""
