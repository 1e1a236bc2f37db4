"""Storage: records and jobs in the database, originals and JSON files in the outbox, and their backups."""
