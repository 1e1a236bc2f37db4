"""Made-up receipts in Cyrillic, Greek and Thai, as text in columns, each with what it says."""
