"""Dates in printed text."""
