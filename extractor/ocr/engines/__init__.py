"""OCR engines: each turns pixels into text with boxes and confidence."""
