"""Boards in emulators, and the firmware as a program of this computer."""
