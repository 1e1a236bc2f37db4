"""The database's schema, step by step; run by `extractor.database.sqlite` when a database is opened."""
