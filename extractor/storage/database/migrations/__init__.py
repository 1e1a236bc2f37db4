"""The database's schema, step by step; run by `extractor.storage.database.connection` when a database is opened."""
