"""An Ethernet hub in user space between TAP devices of several network namespaces.

Adds delay, jitter and loss, for kernels without the netem queueing discipline.
Arguments: DELAY_MS JITTER_MS LOSS_PERCENT LIFE_SECONDS NAMESPACE:DEVICE ... Prints "ready".
"""
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEADER = 0x1002
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL("libc.so.6", use_errno=True)


def open_tap(place):
    namespace, device = place.split(":")
    handle = os.open("/run/netns/" + namespace, os.O_RDONLY)
    if libc.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(handle)
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", device.encode(), TAP_WITHOUT_HEADER))
    return tap


def main():
    delay, jitter, loss, life = (float(value) for value in sys.argv[1:5])
    taps = [open_tap(place) for place in sys.argv[5:]]
    print("ready", flush=True)
    end = time.monotonic() + life
    waiting, count, ports = [], 0, {}
    while time.monotonic() < end and os.getppid() != 1:
        now = time.monotonic()
        pause = max(0, min(0.2, waiting[0][0] - now)) if waiting else 0.2
        for tap in select.select(taps, [], [], pause)[0]:
            while True:
                try:
                    frame = os.read(tap, 65536)
                except OSError:
                    break
                ports[frame[6:12]] = tap
                if random.random() * 100 < loss:
                    continue
                known = None if frame[0] & 1 else ports.get(frame[0:6])
                for target in [known] if known is not None else [t for t in taps if t != tap]:
                    count += 1
                    due = time.monotonic() + (delay + random.random() * jitter) / 1000
                    heapq.heappush(waiting, (due, count, target, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, target, frame = heapq.heappop(waiting)
            try:
                os.write(target, frame)
            except OSError:
                pass


main()
