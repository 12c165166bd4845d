"""Acknowledging: no task of ours lets Celery drop the error of an acknowledgement that the broker did not take."""

from __future__ import annotations

import pytest
from celery.exceptions import TimeoutError as AnyTimeout
from kombu.message import Message

from billing.queue.celery import make_app
from billing.settings import Settings
from billing.tasks import collections, inbox, renewals, upkeep
from billing.tasks.acknowledging import Reconnecting

OURS = [
    collections.tick,
    collections.charge,
    collections.resolve,
    inbox.tick,
    inbox.process,
    renewals.bill,
    upkeep.tick,
]


@pytest.mark.parametrize("task", OURS, ids=lambda task: task.name)
def test_every_task_is_received_as_such_a_request(task: object) -> None:
    app = make_app(Settings(_env_file=None, broker_url="redis://127.0.0.1:1/0", billing_sandbox=True))
    assert app.tasks[task.name].Request is Reconnecting


def test_an_acknowledgement_that_fails_is_raised_and_not_only_logged() -> None:
    app = make_app(Settings(_env_file=None, broker_url="redis://127.0.0.1:1/0", billing_sandbox=True))
    headers = {"task": upkeep.tick.name, "id": "x", "root_id": "x", "parent_id": None, "argsrepr": "", "kwargsrepr": ""}
    message = Message("[[], {}, {}]", headers=headers, content_type="application/json", content_encoding="utf-8")

    def silent(multiple: bool = False) -> None:  # noqa: FBT001, FBT002 (kombu's own signature)
        raise AnyTimeout

    message.ack = silent
    request = Reconnecting(
        message,
        on_ack=message.ack_log_error,
        app=app,
        connection_errors=(AnyTimeout,),
        task=app.tasks[upkeep.tick.name],
    )
    with pytest.raises(AnyTimeout):
        request.acknowledge()


def test_a_task_that_may_run_for_hours_is_acknowledged_when_it_begins_and_no_other() -> None:
    app = make_app(Settings(_env_file=None, broker_url="redis://127.0.0.1:1/0", billing_sandbox=True))
    early = {name for name, task in app.tasks.items() if "." in name and not name.startswith("celery.")}
    early = {name for name in early if not app.tasks[name].acks_late}
    assert early == {"audit.whole"}
    assert app.tasks["audit.whole"].time_limit > app.conf.broker_transport_options["visibility_timeout"]
