from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from lakehouse import ending, kernels, record, runner
from lakehouse.errors import (
    AuditFailed,
    CellFailed,
    CellTimeout,
    KernelDied,
    LakehouseError,
    NotebookError,
    ParameterError,
    PartitionError,
    SparkLost,
    UndeclaredTable,
    UnknownName,
)
from lakehouse.names import TableName
from lakehouse.record import RunRecord
from lakehouse.settings import Settings
from lakehouse.spark import server
from tests import work
from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import COMMAND, IMPORTS, PARAMETERS, VALUES, Workspace

ASSET = TableName("silver", "ending")
ENDINGS = f"""
{PARAMETERS}
how: str = "well"  # how the run shall end
mark: str = ""  # a file that says how far the run has come
day: date = "2013-02-28"
"""
QUERY = "select sum(id % 7) as s from range(1000000000000)"
READ = """
made = [(key, number, 1.5) for key in months for number in (1, 2, 3)]
df = lake.spark.createDataFrame(made, "month string, id bigint, value double")
"""
END = f"""
import os, pathlib, signal, time
print(how)
_ = mark and pathlib.Path(mark).write_text(str(os.getpid()))
if how == "raise":
    raise ValueError("no such colour: mauve\\nand more")
elif how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
elif how == "sleep":
    time.sleep(600)
elif how == "memory":
    hog = bytearray(64 * 2**30)
elif how == "query":
    lake.spark.sql("{QUERY}").collect()
elif how == "undeclared":
    table = "silver." + "others"
    lake.write(df, table)
elif how == "unread":
    table = "silver." + "others"
    lake.read(table)
elif how == "negative":
    df = df.selectExpr("month", "id", "-value as value")
"""
LAST = """
if how != "forget":
    lake.write(df, "silver.ending")
"""


@pytest.fixture(scope="module")
def endings(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    """One notebook that ends as it is told to, run well once: January has three rows."""
    warm = warm_workspace("endings")
    cells = [READ, END, LAST]
    least = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "value", "min_value": 0}}
    made = notebook("silver/ending", *cells, parameters=ENDINGS, imports=f"from datetime import date\n{IMPORTS}")
    promise = contract("silver.ending", VALUES, partitions=MONTHS, expectations=[least])
    warm.write({"silver/ending": made}, {"silver.ending": promise})
    with warm.running():
        runner.run(ASSET, {}, warm.settings)
    return warm


@pytest.fixture
def place(endings: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Afterwards January is as it was, and nothing runs on."""
    for name, value in endings.shell.items():
        monkeypatch.setenv(name, value)
    version = endings.version("silver.ending")
    yield endings
    assert endings.version("silver.ending") == version
    assert eventually(lambda: not kernels.running(endings.settings).kernels)  # type: ignore[union-attr]


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def newest(place: Workspace) -> RunRecord:
    found = record.latest(place.root, ASSET)
    assert found is not None
    return found


def cells(path: Path | None) -> list[Any]:
    assert path is not None
    return nbformat.read(path, as_version=4).cells


def text(path: Path | None) -> str:
    """All that an executed notebook shows."""
    outputs = [output for cell in cells(path) for output in cell.get("outputs", [])]
    return "".join(str(output.get(part, "")) for output in outputs for part in ("text", "data", "traceback"))


def test_a_run_leaves_its_record_and_its_executed_notebook(endings: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in endings.shell.items():
        monkeypatch.setenv(name, value)
    values = {"months": "2013-02,2013-03", "how": "well", "day": "2013-02-01"}
    done = runner.run(ASSET, values, endings.settings, origin="a test", labels={"a": "b"})
    folder = record.folder(endings.root, ASSET, done.run_id)
    assert RunRecord.read(folder) == done
    assert (done.status, done.cause, done.origin, done.labels) == ("succeeded", "", "a test", {"a": "b"})
    assert done.partitions == ["2013-02", "2013-03"]
    assert done.parameters == {"how": "well", "mark": "", "day": "2013-02-01"}
    (write,) = done.writes
    assert write.partition_rows == {"2013-02": 3, "2013-03": 3}
    assert {check.name for check in done.checks} >= {"not_null_id", "partitions_are_requested"}
    assert {"starting", "spark", "auditing", "publishing", "python"} <= set(done.timings)
    assert 0 < sum(done.timings.values()) <= done.seconds * 1.05
    assert done.notebook == folder / "notebook.ipynb"
    executed = cells(done.notebook)
    assert any("injected-parameters" in cell.metadata.get("tags", []) and "2013-02-01" in cell.source for cell in executed)
    assert "silver.ending: 6 rows published to the lake" in text(done.notebook)
    assert sorted(path.name for path in folder.iterdir()) == ["notebook.ipynb", "profile.json", "record.json", "result.json"]


BADLY = [
    pytest.param("raise", CellFailed, "cell 6 (import os, pathlib, signal, time): ValueError: no such colour", id="exception"),
    pytest.param("kill", KernelDied, "silver/ending: the kernel died in cell 6: killed (as by kill -9)", id="kernel killed"),
    pytest.param("memory", KernelDied, "silver/ending, cell 6: out of memory", id="out of memory"),
    pytest.param("sleep", CellTimeout, "silver/ending: cell 6 took longer than", id="timeout"),
    pytest.param("negative", AuditFailed, "cell 7: silver.ending: column_values_to_be_between_value, 3 rows", id="audit"),
    pytest.param("forget", NotebookError, "ending.ipynb ended without writing silver.ending", id="nothing written"),
    pytest.param("undeclared", UndeclaredTable, "write of silver.others, which the notebook's", id="undeclared write"),
    pytest.param("unread", UndeclaredTable, "read of silver.others, which the notebook's", id="undeclared read"),
]


@pytest.mark.parametrize(("how", "kind", "cause"), BADLY)
def test_a_run_that_ends_badly_tells_why_and_publishes_nothing(
    place: Workspace, monkeypatch: pytest.MonkeyPatch, how: str, kind: type[LakehouseError], cause: str
) -> None:
    if how == "memory":
        monkeypatch.setenv("LAKEHOUSE_KERNEL_MEMORY", "32g")
    limits = {"cell_timeout": 3} if how == "sleep" else {}
    with pytest.raises(kind) as caught:
        runner.run(ASSET, {"how": how}, place.settings.model_copy(update=limits))
    assert cause in caught.value.what
    kept = newest(place)
    assert (kept.status, kept.cause, kept.writes) == ("failed", str(caught.value), [])
    executed = cells(kept.notebook)
    assert executed[0].source.startswith("**This run failed.**")
    assert all(line in executed[0].source for line in str(caught.value).splitlines())
    assert f"{how}\n" in text(kept.notebook) or how == "kill"  # its last words may be lost
    if hasattr(caught.value, "notebook"):
        assert caught.value.notebook == str(kept.notebook)


def test_a_notebook_that_opens_no_lake_is_told_what_it_lacks(place: Workspace) -> None:
    made = notebook("gold/closed", "x = 1")
    made["cells"][3]["source"] = "1 + 1"
    place.write({"gold/closed": made}, {})
    with pytest.raises(NotebookError, match=r"closed\.ipynb ended without opening the lake") as caught:
        runner.run(TableName("gold", "closed"), {}, place.settings)
    assert 'lakehouse.open("gold/closed")' in caught.value.hint


REFUSED = [
    pytest.param({"mnths": "2013-02"}, ParameterError, "mnths", "months", id="unknown name"),
    pytest.param({"months": "Februar"}, ParameterError, "Februar", "2013-02", id="no month"),
    pytest.param({"months": ["2013-04"]}, PartitionError, "2013-04 does not exist", "2013-01 to 2013-03", id="other month"),
    pytest.param({"months": []}, ParameterError, "no partition", "at least one", id="no months"),
    pytest.param({"day": "2013-02-30"}, ParameterError, "2013-02-30", "a date such as", id="no day"),
    pytest.param({"how": 3}, ParameterError, "how", "a text", id="wrong type"),
]


@pytest.mark.parametrize(("values", "kind", "what", "hint"), REFUSED)
def test_wrong_parameters_are_refused_before_anything_starts(
    place: Workspace, values: dict[str, Any], kind: type[LakehouseError], what: str, hint: str
) -> None:
    before = newest(place).run_id
    with pytest.raises(kind) as caught:
        runner.run(ASSET, values, place.settings)
    assert what in caught.value.what
    assert hint in str(caught.value)
    assert newest(place).run_id == before


def test_a_notebook_that_is_not_there_is_named_with_the_nearest(place: Workspace) -> None:
    with pytest.raises(UnknownName, match="There is no notebook silver/endnig") as caught:
        runner.run(TableName("silver", "endnig"), {}, place.settings)
    assert "Did you mean silver.ending?" in caught.value.hint


def test_code_in_a_value_stays_a_value(place: Workspace, tmp_path: Path) -> None:
    sly = f"x\"); open({str(tmp_path / 'made')!r}, 'w') #\n'''{{months}} \\"
    with pytest.raises(CellFailed, match="FileNotFoundError"):
        runner.run(ASSET, {"how": "forget", "mark": f"/nowhere/{sly}"}, place.settings)
    assert newest(place).parameters["mark"] == f"/nowhere/{sly}"
    assert list(tmp_path.iterdir()) == []


def command(place: Workspace, *words: str, **environ: str) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *words], cwd=place.project, env={**place.shell, **environ}, **pipes)


def start(place: Workspace, mark: Path, how: str, **environ: str) -> tuple[subprocess.Popen[str], int]:
    """A run in a process of its own, and its kernel's process id once the cell is under way."""
    mark.unlink(missing_ok=True)
    words = ["notebook", "run", "silver/ending", "-p", f"how={how}", "-p", f"mark={mark}"]
    process = command(place, *words, **environ)
    assert eventually(lambda: (mark.exists() and mark.read_text() != "") or process.poll() is not None, 60)
    assert process.poll() is None, process.communicate()
    return process, int(mark.read_text())


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_cancelled_run_stops_its_kernel_and_its_query(place: Workspace, settings: Settings, tmp_path: Path) -> None:
    process, kernel = start(place, tmp_path / "mark", "query")
    assert eventually(lambda: not work.is_idle(settings))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, "silver/ending: cancelled in cell 6" in said) == (130, True), said
    assert eventually(lambda: gone(kernel))
    assert work.becomes_idle(settings, 20)
    kept = newest(place)
    assert (kept.status, kept.cause.splitlines()[0]) == ("cancelled", "silver/ending: cancelled in cell 6")
    assert "silver/ending: cancelled in cell 6" in cells(kept.notebook)[0].source
    assert str(kept.notebook) in said


@pytest.mark.parametrize("seconds", [0.0, 0.3, 2.0])
def test_a_killed_runner_leaves_no_kernel_and_no_query(
    place: Workspace, settings: Settings, tmp_path: Path, seconds: float
) -> None:
    process, kernel = start(place, tmp_path / "mark", "query")
    time.sleep(seconds)
    process.kill()
    process.communicate()
    assert eventually(lambda: gone(kernel))
    assert work.becomes_idle(settings, 20)


def test_a_cell_that_takes_too_long_leaves_no_query(place: Workspace, settings: Settings) -> None:
    with pytest.raises(CellTimeout):
        runner.run(ASSET, {"how": "query"}, place.settings.model_copy(update={"cell_timeout": 4}))
    assert work.becomes_idle(settings, 20)


def test_a_lost_spark_server_is_told_within_seconds(place: Workspace, settings: Settings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"root": tmp_path / "other lake", "spark_memory": "512m"})
    lost = server.ensure(own)
    try:
        process, kernel = start(place, tmp_path / "mark", "query", LAKEHOUSE_SPARK=lost.url)
        assert lost.pid is not None
        time.sleep(1)
        os.kill(lost.pid, signal.SIGKILL)
        began = time.monotonic()
        _, said = process.communicate(timeout=60)
        assert time.monotonic() - began < 20
        assert process.returncode == 1
        assert "silver/ending, cell 6:" in said
        assert eventually(lambda: gone(kernel))
        kept = newest(place)
        assert kept.status == "failed"
        assert "Spark" in kept.cause and "Spark" in cells(kept.notebook)[0].source
    finally:
        server.stop(own)


def test_a_server_that_is_not_there_is_told_before_long(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_SPARK", "sc://localhost:9")
    began = time.monotonic()
    with pytest.raises(SparkLost, match="localhost:9"):
        runner.run(ASSET, {}, place.settings.model_copy(update={"spark": "sc://localhost:9"}))
    assert time.monotonic() - began < 20


def test_runs_at_once_all_end_well(endings: Workspace) -> None:
    """Of other months, and of the same month: there the last commit stands, whole."""
    version = endings.version("silver.ending")
    months = ["2013-02", "2013-03", "2013-03"]
    runs = [command(endings, "notebook", "run", "silver/ending", "-p", f"months={key}") for key in months]
    assert [(run.communicate(timeout=120)[1], run.returncode) for run in runs] == [("", 0)] * 3
    assert version is not None and endings.version("silver.ending") == version + 3
    assert [row[0] for row in endings.rows("silver.ending", "month, id")].count("2013-03") == 3


def test_old_executed_notebooks_go_and_records_stay(place: Workspace) -> None:
    with pytest.raises(NotebookError):
        runner.run(ASSET, {"how": "forget"}, place.settings)
    old = newest(place)
    assert old.notebook is not None
    past = time.time() - 91 * 86_400
    os.utime(old.notebook, (past, past))
    with pytest.raises(NotebookError):
        runner.run(ASSET, {"how": "forget"}, place.settings)
    assert not old.notebook.exists()
    assert RunRecord.read(old.notebook.parent) == old
    assert newest(place).notebook != old.notebook


def test_a_secret_appears_nowhere_in_what_is_kept(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "https://hooks.example.com/s3cr3t"
    monkeypatch.setenv("LAKEHOUSE_WEBHOOK", secret)
    with pytest.raises(CellFailed):
        runner.run(ASSET, {"how": "raise"}, place.settings)
    said = place.command("settings").stdout + place.command("settings", "--json").stdout
    assert "LAKEHOUSE_WEBHOOK" in said
    kept = [path for path in (place.root / "runs").rglob("*") if path.is_file()]
    kept += list((place.root / "services").glob("*.log"))
    assert len(kept) > 3
    assert [path for path in kept if b"s3cr3t" in path.read_bytes()] == []
    assert "s3cr3t" not in said


@pytest.mark.parametrize("words", ["[FAILED_READ_FILE.FILE_NOT_EXIST] a.parquet", "ChecksumException: Checksum error: a.parquet"])
def test_a_file_that_spark_cannot_read_is_a_case_for_the_doctor(words: str) -> None:
    from types import SimpleNamespace

    run = SimpleNamespace(asset=TableName("silver", "things"), spec=SimpleNamespace(path=Path("things.ipynb"), parameters=()))
    failed = SimpleNamespace(cell_index=4, evalue=words, ename="SparkException", source="df.count()")
    found = ending._cell_error(failed, run)  # type: ignore[arg-type]
    assert words in found.what and "`lakehouse doctor`" in found.hint
    failed.evalue = "[DIVIDE_BY_ZERO] Division by zero."
    assert "doctor" not in ending._cell_error(failed, run).hint  # type: ignore[arg-type]
