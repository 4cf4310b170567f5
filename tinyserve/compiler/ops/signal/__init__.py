"""Signal operators of audio front ends."""
