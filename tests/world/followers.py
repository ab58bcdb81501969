"""Many proxies in this process: each follows its snapshots as a sidecar does, and says that it serves them."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from proxy.subscribe import ControlPlane, Flush

_EPOCH = re.compile(r'\{"epoch":\s*(\d+)')


@dataclass(frozen=True)
class Heard:
    """One snapshot as it came: `at` is monotonic, in seconds."""

    proxy: str
    epoch: int
    at: float
    bytes: int


class Followers:
    """What has come so far, and how many of it was acknowledged."""

    def __init__(self, url: str, proxies: Iterable[str]) -> None:
        self._stop = threading.Event()
        self._heard: list[Heard] = []
        self._acknowledged: list[int] = []
        planes = [ControlPlane(url, proxy, self._stop) for proxy in proxies]
        self._threads = [threading.Thread(target=self._follow, args=(plane,), daemon=True) for plane in planes]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """From now on a stream that ends is not begun again; one that is open ends with its control plane."""
        self._stop.set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def heard(self, epoch: int) -> list[Heard]:
        """Whoever was sent a snapshot of this epoch."""
        return [one for one in list(self._heard) if one.epoch == epoch]

    def acknowledged(self, epoch: int) -> int:
        """How many have said that they serve it, and were heard."""
        return list(self._acknowledged).count(epoch)

    def _follow(self, plane: ControlPlane) -> None:
        for message in plane.messages():
            at = time.monotonic()
            if isinstance(message, Flush):
                continue
            found = _EPOCH.match(message)
            assert found, message[:80]
            epoch = int(found[1])
            self._heard.append(Heard(plane.proxy, epoch, at, len(message) + 1))
            plane.acknowledge(epoch, accepted=True)
            self._acknowledged.append(epoch)


@contextlib.contextmanager
def following(url: str, proxies: Iterable[str], end: Callable[[], object]) -> Iterator[Followers]:
    """All of them, while the block runs; `end` ends the control plane, and so the streams."""
    followers = Followers(url, proxies)
    followers.start()
    try:
        yield followers
    finally:
        followers.stop()
        end()
        followers.join()
