"""How amounts, numbers, days and countries are written by place, cells of CSV and tables: common to floors above."""
