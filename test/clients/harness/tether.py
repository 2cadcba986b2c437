"""Children that end with the harness, however that ends: the kernel kills them (PR_SET_PDEATHSIG).

The kernel means the thread that started a child, not the process: all are started by one thread that
lives as long as the harness."""
import ctypes
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

PR_SET_PDEATHSIG = 1

_prctl = ctypes.CDLL(None, use_errno=True).prctl
_starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
_harness = os.getpid()


def _end_with_parent():
    # Also when the harness has died before this.
    if _prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0 or os.getppid() != _harness:
        os._exit(127)


def popen(command, **options):
    """subprocess.Popen of a child that never outlives this process."""
    return _starter.submit(subprocess.Popen, command, preexec_fn=_end_with_parent, **options).result()
