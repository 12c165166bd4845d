"""The trade of computing: tax, lines, totals, what is due, when to try again. Pure: no rows, no clock, no calls."""
