"""The ladder: a reader is asked about documents, and asked again about what is missing or wrong."""
