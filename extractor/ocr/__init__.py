"""OCR: turns pages into transcripts, which are lines of words with boxes and confidence."""
