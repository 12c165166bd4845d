"""How amounts, numbers, days and countries are written by place, and cells of CSV: what floors above have in common."""
