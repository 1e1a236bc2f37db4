"""What every part of a running program shares: clock, log, checkpoints, heartbeat and counters."""
