"""The service: its threads, signals and lock, monitoring, and integration with service managers."""
