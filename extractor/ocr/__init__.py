"""The witness: pages become transcripts, that is lines of words with boxes and confidence."""
