"""Files on disk: how they come into the inbox and settle there, and how they leave it for the outbox."""
