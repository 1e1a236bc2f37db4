"""Worker processes: what a hostile file can crash, hang or bloat is a process of its own, which is replaced. Knows nothing of receipts."""
