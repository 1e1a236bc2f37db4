"""The service, run for good: its threads and orders, one at a time, under a service manager, seen from outside."""
