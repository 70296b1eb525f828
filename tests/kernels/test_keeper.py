from __future__ import annotations

import os
import signal
import textwrap

from lakehouse import kernels
from lakehouse.kernels import rendezvous

CHILD = "import subprocess, os; child = subprocess.Popen(['sleep', '300']); print(os.getpid(), child.pid)"

CLIENT = f"""
    import time
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="lakehouse")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    print("sockets", manager.ip.rpartition("/")[2], flush=True)
    client.execute_interactive({CHILD!r}, output_hook=lambda m: print(m["content"].get("text", ""), end="", flush=True))
    time.sleep(300)
"""


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _numbers(stream) -> list[int]:
    for line in stream:
        if all(part.isdigit() for part in line.split()):
            return [int(part) for part in line.split()]
    raise AssertionError("the client said nothing")


def test_the_kernel_and_its_children_die_with_their_client(place, eventually):
    client = place.python(CLIENT)
    sockets = next(line.split()[1] for line in client.stdout if line.startswith("sockets"))
    assert list(rendezvous.folder().glob(f"{sockets}-*"))
    started = _numbers(client.stdout)
    assert all(_alive(pid) for pid in started)
    client.kill()
    client.communicate()
    assert eventually(lambda: not any(_alive(pid) for pid in started), 3)
    assert eventually(lambda: not list(rendezvous.folder().glob(f"{sockets}-*")), 3)


def test_a_cold_kernel_and_its_children_die_with_their_client(place, eventually, tmp_path):
    tmp_path.chmod(0o755)
    refused = """
        import sys
        from pathlib import Path
        from lakehouse.kernels import rendezvous

        rendezvous.folder = lambda: rendezvous.private_folder(Path(sys.argv[1]))
    """
    client = place.python(textwrap.dedent(refused) + textwrap.dedent(CLIENT), str(tmp_path))
    started = _numbers(client.stdout)
    client.kill()
    client.communicate()
    assert eventually(lambda: not any(_alive(pid) for pid in started), 3)


def test_a_killed_kernel_is_reported_and_its_children_end(kernel, eventually):
    started = kernel()
    pid, child = map(int, started.run(CHILD).split())
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not started.manager.is_alive(), 2)
    assert started.provisioner._lease.poll() == -signal.SIGKILL
    assert eventually(lambda: not _alive(child), 2)


def test_kernels_die_with_the_fork_process_and_the_next_one_starts_another(kernel, place, eventually):
    started = kernel()
    pids = [int(word) for word in started.run(CHILD).split()]
    fork = kernels.running(place.settings)
    assert fork and fork.kernels == (pids[0],)
    os.kill(fork.pid, signal.SIGKILL)
    assert eventually(lambda: not _alive(pids[0]), 2)
    assert not started.manager.is_alive()
    assert eventually(lambda: not _alive(pids[1]), 2)
    assert kernels.running(place.settings) is None
    assert kernel().provisioner.cold_reason == ""
    assert kernels.running(place.settings).pid != fork.pid
