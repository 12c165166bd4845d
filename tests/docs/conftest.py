"""The company that the Python of the pages works on."""

from tests.flows.conftest import acme

__all__ = ["acme"]
