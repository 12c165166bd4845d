"""Reads of the books: balances and postings by accounting date, and the reports that tie to them."""
