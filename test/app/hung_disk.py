"""A disk that stops answering at a word: a preloaded library whose syncs hang once a file is there."""
import os
import subprocess

COMPILER = os.environ.get("CC", "clang-19")
# Each call looks for the file first, so that all syncs up to then are real ones.
SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int sync_or_hang(const char* name, int fd) {
  const char* trigger = getenv("HANG_SYNCS_WHEN");
  while (trigger && access(trigger, F_OK) == 0) usleep(100 * 1000);
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return sync_or_hang("fsync", fd); }
int fdatasync(int fd) { return sync_or_hang("fdatasync", fd); }
int syncfs(int fd) { return sync_or_hang("syncfs", fd); }
"""


class HungDisk:
    def __init__(self, place):
        source, library = os.path.join(place, "hung_disk.c"), os.path.join(place, "hung_disk.so")
        with open(source, "w") as file:
            file.write(SOURCE)
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        self.trigger = os.path.join(place, "hang")
        self.environment = {"LD_PRELOAD": library, "HANG_SYNCS_WHEN": self.trigger}

    def hang(self):
        with open(self.trigger, "w"):
            pass
