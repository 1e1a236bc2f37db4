"""Parsers for printed text: amounts, dates, times, currencies, and the locale of a receipt. Pure functions."""
