"""Readers turn documents into answers: text as printed, with evidence. They never normalise, judge or store."""
