"""Words that every floor shares: money, time, periods, ids, statuses, errors. Standard library only."""
