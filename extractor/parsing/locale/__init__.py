"""Country, language and currency of a receipt, inferred from its text."""
