"""Accuracy: records compared with labelled receipts."""
