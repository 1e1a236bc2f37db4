"""OCR engines: each turns pixels into text with boxes and confidence.

They import `ocr.transcript` for the types of their results; `ocr.selection` imports them. Nothing else in `ocr` is theirs to import.
"""
