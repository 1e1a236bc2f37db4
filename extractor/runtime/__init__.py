"""Shared by all parts of the program: clock, log, checkpoints, heartbeat and counters."""
