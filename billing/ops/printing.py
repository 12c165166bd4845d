"""`billing invoice pdf|html`: a document as its customer gets it. It names both parties, so every print is noted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import click

from billing.flows import documents, looking
from billing.flows.documents import Printed
from billing.flows.links import document_link
from billing.flows.parts import Parts
from billing.ops.files import write
from billing.ops.opening import opened
from billing.ops.options import looked
from billing.queries.operations.finding import find_invoice
from billing.rules.language import LANGUAGES

_Printer = Callable[..., Printed]


def add_printing(group: click.Group) -> None:
    """The commands of `billing invoice` that bring a document to somebody."""
    group.add_command(_link())
    group.command("pdf")(_command(documents.document_pdf, "Write a document as a PDF file (PDF/A where it can be)."))
    group.command("html")(_command(documents.document_html, "Write a document as a page that a browser can print."))


def _link() -> click.Command:
    @click.command("link")
    @click.argument("name", metavar="NUMBER|ID")
    def command(*, name: str) -> None:
        """Make a link to an issued document, good for a time (BILLING_LINK_DAYS).

        Whoever has it can read the document, names too: send it to the customer alone. Each call makes another;
        `billing profile revoke-links` makes all of a customer's worthless.
        """
        made = opened()
        with made.begin() as session:
            click.echo(document_link(made, session, find_invoice(session, name)))

    return command


def _command(printer: _Printer, told: str) -> Callable[..., None]:
    @click.argument("name", metavar="NUMBER|ID")
    @click.option("--out", type=click.Path(path_type=Path), help="File or folder.  [default: NUMBER.pdf or .html here]")
    @click.option("--language", type=click.Choice(LANGUAGES), help="[default: the customer's]")
    @click.option("--reason", help="Why it is printed; kept in the audit trail.")
    @click.option("--by", help="Who; kept in the audit trail.  [default: the user of this machine]")
    def command(*, name: str, out: Path | None, language: str | None, reason: str | None, by: str | None) -> None:
        order = looked(by=by, reason=reason, what="A document names seller and buyer; it")
        made = opened()
        id_ = _find(made, name)
        looking.note_print(made, id_, order=order)
        printed = printer(made, id_, language=language)
        path = _path(out, printed.name)
        write(path, printed.content)
        click.echo(str(path))
        if printed.lacks:
            click.echo(
                f"Not PDF/A: no font here for {', '.join(printed.lacks)}; see BILLING_FONTS_DIR in docs/documents.md.",
                err=True,
            )

    command.__doc__ = told + "\n\n    It names seller and buyer, so it needs --reason and is noted in the audit trail."
    return command


def _find(made: Parts, name: str) -> UUID:
    with made.begin() as session:
        return find_invoice(session, name)


def _path(out: Path | None, name: str) -> Path:
    if out is None:
        return Path(name)
    return out / name if out.is_dir() else out
