"""All seeds, from every file that plants some: who wants them all takes them here, so that none is forgotten."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.audit.seeds import SEEDS

__all__ = ["SEEDS"]

for path in sorted(Path(__file__).parent.glob("seeds_*.py")):
    import_module(f"tests.audit.{path.stem}")
