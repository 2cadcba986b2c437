"""A disk that stops answering at a word: a preloaded library whose syncs hang once a file is there. And
the few requests, by hand, that it takes to have an append wait for that disk."""
import os
import struct
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


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def frame(key, version, body):
    message = struct.pack(">hhih", key, version, 1, -1) + body
    return struct.pack(">i", len(message)) + message


def create_by_metadata(topic):
    """Metadata 1: asking for a topic makes it."""
    return frame(3, 1, struct.pack(">i", 1) + text(topic))


def one_record_batch(timestamp_ms=0):
    # Attributes, deltas, no key, one byte of value, no headers; numbers are zigzag varints of one byte.
    record = bytes([14, 0, 0, 0, 1, 2]) + b"x" + bytes([0])
    tail = struct.pack(">hiqqqhii", 0, 0, timestamp_ms, timestamp_ms, -1, -1, -1, 1) + record
    behind_length = struct.pack(">ibI", -1, 2, crc32c(tail)) + tail
    return struct.pack(">qi", 0, len(behind_length)) + behind_length


def produce(topic):
    """Produce 3 of one record to partition 0, acks=all, timeout 30 s."""
    batch = one_record_batch()
    body = struct.pack(">hhi", -1, -1, 30_000) + struct.pack(">i", 1) + text(topic)
    body += struct.pack(">iii", 1, 0, len(batch)) + batch
    return frame(0, 3, body)


def produced(reply):
    """(error code, base offset) of the one partition in a Produce 3 answer."""
    (length,) = struct.unpack_from(">h", reply, 8)
    return struct.unpack_from(">hq", reply, 8 + 2 + length + 4 + 4)
