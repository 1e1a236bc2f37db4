"""The embedded reader: answers from OCR transcripts with field models, without GPU or downloads."""
