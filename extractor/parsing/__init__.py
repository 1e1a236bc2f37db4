"""What printed text can mean: amounts, dates, times, currencies and the places they come from. Pure; decides nothing alone."""
