from __future__ import annotations

import os
import time

import pytest

HEAVY = ("pandas", "pyspark", "sklearn", "mlflow", "great_expectations", "matplotlib")


def test_a_kernel_is_ready_within_a_second_with_the_heavy_libraries_imported(kernel, place, record_property):
    kernel()  # the first of a lake waits for the imports
    warm = kernel()
    print(f"seconds from start to the end of the first cell: {warm.seconds:.2f}")
    assert warm.provisioner.cold_reason == ""
    assert warm.run(f"import sys; print([name for name in {HEAVY} if name not in sys.modules])") == "[]"
    assert warm.seconds < 3  # 0.5 s on an idle machine; what is tested is that nothing was imported


def test_kernels_side_by_side_share_nothing(kernel):
    code = """
        import os, random, uuid
        import numpy
        print(os.getpid(), random.random(), numpy.random.random(), numpy.random.default_rng().random(), uuid.uuid4())
    """
    first, second = kernel(), kernel()
    one, other = first.run(code).split(), second.run(code).split()
    assert all(a != b for a, b in zip(one, other, strict=True))
    first.run("mine = 1")
    assert second.run("mine").startswith("NameError")


def test_an_edit_to_project_code_counts_in_the_next_kernel(kernel, place):
    module = place.settings.project / "assets" / "edited.py"
    module.write_text("VALUE = 'before'\n")
    assert kernel().run("from assets.edited import VALUE; print(VALUE)") == "before"
    module.write_text("VALUE = 'and after'\n")
    assert kernel().run("from assets.edited import VALUE; print(VALUE)") == "and after"


def test_lakehouse_itself_is_imported_after_the_fork(kernel):
    assert kernel().run("import sys; print([m for m in sys.modules if m.startswith('lakehouse')])") == "[]"


def test_the_kernel_has_the_clients_environment_and_none_of_the_fork_processs(kernel, monkeypatch, tmp_path):
    monkeypatch.setenv("FLAVOUR", "vanilla")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (tmp_path / "beside.py").write_text("X = 5\n")
    said = kernel(cwd=str(tmp_path)).run("""
        import os, time, beside
        print(os.environ["FLAVOUR"], os.environ.get("ARROW_DEFAULT_MEMORY_POOL"), beside.X, time.tzname[0], os.getcwd())
    """)
    assert said == f"vanilla None 5 JST {tmp_path}"


def test_the_kernel_may_use_all_cores(kernel):
    said = kernel().run("""
        import threadpoolctl, pyarrow
        print({pool["num_threads"] for pool in threadpoolctl.threadpool_info()} | {pyarrow.cpu_count()})
    """)
    assert said == f"{{{len(os.sched_getaffinity(0))}}}"


def test_a_plot_shows_in_the_notebook(kernel):
    said = kernel().run("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])")
    assert said == "<image/png text/plain>"


def test_output_of_child_processes_reaches_the_notebook(kernel):
    assert kernel().run("import subprocess; subprocess.run(['echo', 'from below']); import time; time.sleep(.3)") == "from below"


def test_an_interrupt_stops_a_sleeping_cell(kernel):
    started = kernel()
    began = time.monotonic()
    asleep = started.client.execute("import time; time.sleep(60)")
    time.sleep(0.5)
    started.manager.interrupt_kernel()
    while started.client.get_shell_msg(timeout=5)["parent_header"].get("msg_id") != asleep:
        pass
    assert started.run("print('still here')", timeout=10) == "still here"
    assert time.monotonic() - began < 5


def test_a_restart_keeps_the_connection_and_makes_a_new_session(kernel):
    started = kernel()
    code = "import os; print(os.environ['LAKEHOUSE_SESSION'])"
    before = started.run(code)
    started.manager.restart_kernel()
    started.client.wait_for_ready(timeout=30)
    after = started.run(code)
    assert after == started.provisioner.session != before


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL"])
def test_a_kernel_that_does_not_listen_is_ended_anyway(kernel, place, signal_name):
    started = kernel()
    ignored = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    if signal_name == "SIGKILL":
        ignored += "; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    started.run(ignored)
    started.client.execute("while True: time.sleep(1)")
    time.sleep(0.3)
    started.manager.shutdown_kernel()
    assert not started.manager.has_kernel


def test_too_much_memory_is_a_memory_error_in_the_cell(kernel, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_KERNEL_MEMORY", "1g")
    limited = kernel()
    assert limited.run("x = bytearray(2 << 30)").startswith("MemoryError")
    assert limited.run("import numpy; print(numpy.ones(1 << 20).sum())") == "1048576.0"


def test_a_memory_limit_below_what_is_imported_means_a_cold_kernel(kernel, monkeypatch, capfd):
    monkeypatch.setenv("LAKEHOUSE_KERNEL_MEMORY", "300m")
    assert "kernel_memory = 300m is less than" in kernel().provisioner.cold_reason
    assert "kernel_memory = 300m is less than" in capfd.readouterr().err
