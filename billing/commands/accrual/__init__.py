"""Accrual: usage that a month earned and no invoice has named at its end."""
