"""How amounts, numbers, days and countries are written by place: what mails, pages and documents have in common."""
