"""What an error of the database leaves certain."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError


def nothing_written(error: DBAPIError) -> bool:
    """Whether the transaction in which it was raised has certainly written nothing.

    The server that answers with an error has undone it, and one that could not be reached never began it. A connection
    that was lost may have been lost after the commit.
    """
    return not error.connection_invalidated
