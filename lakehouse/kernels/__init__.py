"""Kernels that start in well under a second, because they are forked from a process that has imported everything.

    jupyter client (papermill, nbclient, JupyterLab)            per lake, one process
    ┌──────────────────────────────┐    lease (socket)    ┌──────────────────────────────┐
    │ provisioner.WarmProvisioner  │ ───────────────────▶ │ forkserver: preload + keeper │
    └──────────────────────────────┘                      └──────┬───────────────────────┘
                     ▲   ZeroMQ over ipc                         │ fork, handover
                     └────────────────────────────────── kernel ◀┘

The open socket is the lease on the kernel: when the client's end closes, for whatever reason, the keeper kills the
kernel's process group, and after any end it stops what the kernel's Spark session still does. Where forking is not
possible the same keeper runs one ordinary ("cold") kernel, and says why.
"""

from lakehouse.kernels.control import ForkProcess, ensure, running, stop
from lakehouse.kernels.kernelspec import KERNELSPEC, install_kernelspec

__all__ = ["KERNELSPEC", "ForkProcess", "ensure", "install_kernelspec", "running", "stop"]
