"""Beat's schedule, from the table of ticks. Beat only wakes sweeps: two beats, no beat or a late one harm nothing."""

from __future__ import annotations

from billing.queue.celery import schedule
from billing.sandbox.environment import adopt
from billing.settings import load

adopt()
beat_schedule = schedule(load())
