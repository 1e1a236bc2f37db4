"""The database's schema, step by step; run by `extractor.db` when a database is opened."""
