"""Accuracy gate: rendered receipts that no model was trained on, read by the real reader and compared with a committed baseline."""
