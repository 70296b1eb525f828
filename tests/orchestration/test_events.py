from __future__ import annotations

import sys

import pytest

from tests.orchestration.conftest import Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")

STORE = """
import multiprocessing, sqlite3, time
import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.events.log import EventLogEntry
from lakehouse import settings
from lakehouse.orchestration.events import EventLog, quick_events
from lakehouse.orchestration.instance import instance

RUN = "11111111-1111-1111-1111-111111111111"
store = instance(settings.load())
log = store.event_log_storage

def tell(number, log=log):
    key = dg.AssetKey(["silver", f"t{number}"])
    planned = dg.DagsterEvent("ASSET_MATERIALIZATION_PLANNED", "job", event_specific_data=AssetMaterializationPlannedData(key))
    log.store_event(EventLogEntry(None, 10, "", RUN, time.time(), job_name="job", dagster_event=planned))

def told():
    return len(log.get_logs_for_run(RUN))
"""


def test_a_lakes_events_are_kept_where_dagster_has_them(place: Place) -> None:
    out = place.python(
        STORE
        + """
tell(1)
print(type(log).__name__, told(), (settings.load().root / "dagster/history/runs/index.db").exists(), log._kept)
"""
    )
    assert out.split() == ["EventLog", "1", "True", "{}"]


def test_within_quick_events_connections_are_kept_and_then_closed(place: Place) -> None:
    out = place.python(
        STORE
        + """
with quick_events(store):
    tell(1), tell(2)
    kept = list(log._kept.values())
    print(len(kept), kept[0].exec_driver_sql("PRAGMA synchronous").scalar())
    kept[0].rollback()
print(told(), [connection.closed for connection in kept], log._kept)
"""
    )
    assert out.splitlines() == ["2 1", "2 [True, True] {}"]


def test_a_steps_process_keeps_its_connections_and_others_read_what_it_told(place: Place) -> None:
    out = place.python(
        STORE
        + """
def step():
    with instance(settings.load()) as own:
        tell(1, own.event_log_storage), tell(2, own.event_log_storage)
        print(len(own.event_log_storage._kept), flush=True)
        import os
        os._exit(0)  # as if it were killed: nothing is closed

child = multiprocessing.get_context("fork").Process(target=step)
child.start(), child.join()
print(told(), child.exitcode)
tell(3)
print(told())
"""
    )
    assert out.splitlines() == ["2", "2 0", "3"]


def test_two_processes_tell_at_once_and_nothing_is_lost(place: Place) -> None:
    out = place.python(
        STORE
        + """
def step(first):
    with instance(settings.load()) as own:
        for number in range(first, first + 40):
            tell(number, own.event_log_storage)

tell(0)
children = [multiprocessing.get_context("fork").Process(target=step, args=(first,)) for first in (100, 200, 300)]
for child in children: child.start()
for child in children: child.join()
print(told(), len(log.all_asset_keys()))
"""
    )
    assert out.split() == ["121", "121"]
