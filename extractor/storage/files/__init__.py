"""Files on disk: finding them in the inbox, and moving them to the outbox."""
