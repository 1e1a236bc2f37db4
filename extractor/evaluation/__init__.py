"""Measurement of accuracy: records compared with labelled receipts."""
