"""Where tables are printed."""

from __future__ import annotations

import errno
import os

from rich.console import Console


class Screen(Console):
    """Rich's, which would end the process with status 1, a finding, where nobody reads any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
