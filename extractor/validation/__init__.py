"""What an answer is worth: printed text becomes values, values become checks, and these what may be accepted."""
