from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from lakehouse import kernels
from lakehouse.kernels import rendezvous

TOLD = 'import os; print("told", *(os.environ.get("LAKEHOUSE_" + n) for n in ("TARGET", "SESSION", "RUN_ID")))'

PAPERMILL = """
    import sys, papermill
    papermill.execute_notebook(sys.argv[1], sys.argv[1] + ".out.ipynb", progress_bar=False)
"""

# A client as a Jupyter server is one, without its web pages.
SERVER = """
    import asyncio, sys
    import papermill  # a server's extension may import it
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

    async def main():
        kernels = AsyncMappingKernelManager(root_dir=".")
        kernel_id = await kernels.start_kernel(kernel_name="lakehouse")
        kernel = kernels.get_kernel(kernel_id)
        await kernel.ready
        client = kernel.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        await client.execute_interactive(sys.argv[1], output_hook=lambda m: print(m["content"].get("text", ""), end=""))
        client.stop_channels()
        await kernels.shutdown_kernel(kernel_id)

    asyncio.run(main())
"""


def told(output: str) -> list[str]:
    found = re.search(r"told (.*)", output)
    assert found, output
    return found[1].split()


def outputs(path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


TARGETS = {
    "papermill writes to the lake": (PAPERMILL, {}, "lake"),
    "papermill told otherwise": (PAPERMILL, {"LAKEHOUSE_TARGET": "sandbox"}, "sandbox"),
    "a Jupyter server explores": (SERVER, {}, "sandbox"),
    "a Jupyter server explores whatever its environment says": (SERVER, {"LAKEHOUSE_TARGET": "lake"}, "sandbox"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_where_a_kernel_writes_is_decided_by_who_starts_it(place, case):
    client, environ, target = TARGETS[case]
    notebook = place.notebook("told", TOLD)
    process = place.python(client, str(notebook) if client is PAPERMILL else TOLD, **environ)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
    assert told(outputs(f"{notebook}.out.ipynb") if client is PAPERMILL else said)[0] == target


def test_the_runners_session_and_run_reach_the_kernel(kernel, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_SESSION", "11111111-2222-3333-4444-555555555555")
    monkeypatch.setenv("LAKEHOUSE_RUN_ID", "20130201T000000-0123abcd")
    started = kernel()
    assert told(started.run(TOLD))[1:] == ["11111111-2222-3333-4444-555555555555", "20130201T000000-0123abcd"]
    assert started.provisioner.session == "11111111-2222-3333-4444-555555555555"


def test_each_kernel_without_a_session_gets_its_own(kernel):
    sessions = {told(kernel().run(TOLD))[1] for _ in range(2)}
    assert len(sessions) == 2 and "None" not in sessions


def test_a_kernel_started_inside_a_kernel_shares_neither_session_nor_run(kernel, place, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_RUN_ID", "20130201T000000-0123abcd")
    notebook = place.notebook("inner", TOLD)
    outer = kernel()
    assert told(outer.run(TOLD))[2] == "20130201T000000-0123abcd"
    outer.run(f"import papermill; _ = papermill.execute_notebook({str(notebook)!r}, {str(notebook) + '.out.ipynb'!r})")
    target, session, run = told(outputs(f"{notebook}.out.ipynb"))
    assert (target, run) == ("sandbox", "None")
    assert session not in ("None", outer.provisioner.session)


def test_nbclient_raises_promptly_when_the_kernel_is_killed(place):
    kernels.ensure(place.settings)
    path = place.notebook("dies", "import os, signal, time; os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(DeadKernelError):
        NotebookClient(nbformat.read(path, as_version=4)).execute()
    assert time.monotonic() - began < 10


def test_papermill_keeps_the_notebook_up_to_the_cell_that_failed(place):
    notebook = place.notebook("fails", "print('first')", "1 / 0", "print('third')")
    process = place.python(PAPERMILL, str(notebook))
    assert "ZeroDivisionError" in process.communicate(timeout=60)[0]
    assert outputs(f"{notebook}.out.ipynb").count("first") == 1


def test_kernels_started_at_the_same_time_do_not_collide(place):
    async def run_all(notebooks: list[nbformat.NotebookNode]) -> None:
        await asyncio.gather(*(NotebookClient(notebook).async_execute() for notebook in notebooks))

    paths = [place.notebook(f"parallel{number}", f"print({number})") for number in range(6)]
    notebooks = [nbformat.read(path, as_version=4) for path in paths]
    asyncio.run(run_all(notebooks))
    assert [notebook.cells[0].outputs[0].text.strip() for notebook in notebooks] == list("012345")


def test_a_cold_kernel_says_so_and_works_alike(place, capfd, monkeypatch, kernel, tmp_path, eventually):
    tmp_path.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(rendezvous, "folder", lambda: rendezvous.private_folder(tmp_path))
        started = kernel()
    assert f"a cold kernel, slower by some 15 s: {tmp_path} has mode 0755" in capfd.readouterr().err
    assert "has mode 0755" in started.provisioner.cold_reason
    assert told(started.run(TOLD))[:2] == ["sandbox", started.provisioner.session]
    os.kill(started.provisioner.pid, signal.SIGKILL)
    assert eventually(lambda: not started.manager.is_alive(), 2)


def test_a_wrong_setting_is_refused_before_anything_starts(place, monkeypatch):
    process = place.python(PAPERMILL, str(place.notebook("wrong", "1")), LAKEHOUSE_KERNEL_MEMORY="lots")
    said = process.communicate(timeout=60)[0]
    assert process.returncode != 0 and "kernel_memory = 'lots'" in said


def test_a_jupyter_server_serves_the_kernel(place):
    """Over its web interface, as JupyterLab does it: start, restart, interrupt, end."""
    script = """
        import json, sys, threading, urllib.request
        from jupyter_server.serverapp import ServerApp

        app = ServerApp()
        app.initialize(["--port=0", "--no-browser", "--ServerApp.token=secret", "--allow-root"])
        base = f"http://localhost:{app.port}"

        def call(path, method="POST", body=None):
            data = None if body is None else json.dumps(body).encode()
            headers = {"Authorization": "token secret"}
            request = urllib.request.Request(base + path, data=data, method=method, headers=headers)
            answer = urllib.request.urlopen(request, timeout=60)
            text = answer.read()
            return answer.status, json.loads(text) if text else None

        def client():
            try:
                kernel = call("/api/kernels", body={"name": "lakehouse"})[1]
                steps = [call(f"/api/kernels/{kernel['id']}/{step}")[0] for step in ("restart", "interrupt")]
                steps.append(call(f"/api/kernels/{kernel['id']}", "DELETE")[0])
                print("steps", json.dumps([kernel["name"], *steps]))
            finally:
                app.io_loop.add_callback(app.stop)

        app.io_loop.add_callback(threading.Thread(target=client).start)
        app.start()
    """
    said = place.python(script).communicate(timeout=120)[0]
    found = re.search(r"steps (.*)", said)
    assert found, said
    assert json.loads(found[1]) == ["lakehouse", 200, 204, 204]
