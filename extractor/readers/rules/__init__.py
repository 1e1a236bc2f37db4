"""The OCR reader: trained models and rules on transcripts.

`ocr_reader` answers questions with `read_fields`, which calls `header` (and through it `merchant` and `address`), `transaction_datetime`,
and `money_fields` (and through it `totals`, `taxes` and `items`).
"""
