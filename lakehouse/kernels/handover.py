"""From a fork to a kernel: everything that must be the kernel's own and not its parent's."""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import sys
import time

from lakehouse.kernels.channel import Request

_PR_SET_PDEATHSIG = 1
_OURS = "lakehouse"


def isolate(request: Request, keeper: int, files: tuple[int, int]) -> None:
    """The process: own session and group, death with the keeper, default signals, its files, folder and memory."""
    os.setsid()
    die_with(keeper)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    for number, target in zip((null, *files), (0, 1, 2), strict=True):
        os.dup2(number, target)
    for number in {null, *files} - {0, 1, 2}:
        os.close(number)
    os.chdir(request.cwd)
    if request.memory is not None:
        # RLIMIT_DATA and not RLIMIT_AS: libraries reserve far more address space than they ever use. Python turns
        # the refusal into a MemoryError in the cell that asked for too much.
        resource.setrlimit(resource.RLIMIT_DATA, (request.memory, request.memory))


def die_with(keeper: int) -> None:
    """Linux kills this process when its parent `keeper` ends, however that ends."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != keeper:
        os._exit(1)


def renew(request: Request) -> None:
    """The interpreter: the client's environment, the project's folder first on the path, lakehouse itself unloaded."""
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    first = [request.env.get("LAKEHOUSE_PROJECT", request.cwd)]
    first += [entry for entry in request.env.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = [*dict.fromkeys(first), *(entry for entry in sys.path if entry not in first)]
    for name in [name for name in sys.modules if name.partition(".")[0] == _OURS]:
        del sys.modules[name]
    importlib.invalidate_caches()


def become_kernel(request: Request) -> None:
    """Runs ipykernel in this fork until it is shut down."""
    renew(request)
    _renew_libraries(request)
    arguments = request.argv[request.argv.index("ipykernel_launcher") + 1 :]
    sys.argv = ["ipykernel_launcher", *arguments]
    from ipykernel.kernelapp import IPKernelApp

    # With a parent to watch it also keeps quiet about Ctrl-C on the terminal.
    IPKernelApp.launch_instance(argv=arguments, parent_handle=os.getppid())


def _renew_libraries(request: Request) -> None:
    """Undoes what single-threaded importing has set, and what every fork would have in common.

    (Python's own `random` is reseeded by the interpreter after each fork.)
    """
    import matplotlib
    import numpy
    from threadpoolctl import threadpool_limits

    numpy.random.seed()
    if backend := request.env.get("MPLBACKEND"):
        matplotlib.rcParams["backend"] = backend
    wanted = request.env.get("OMP_NUM_THREADS", "")
    threadpool_limits(int(wanted) if wanted.isdigit() else len(os.sched_getaffinity(0)))
