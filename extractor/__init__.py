"""Receipts in, trustworthy records out."""
