"""Readers turn documents into answers: text as printed, with evidence. They neither normalise, validate nor store."""
