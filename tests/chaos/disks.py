"""A disk that runs full: a small file system of its own under a bridge's folder, and ballast that fills it.

Needs the right to mount; without it this fault is left out.
"""

import asyncio
import shutil
from pathlib import Path

SIZE = "8m"
BALLAST = "ballast"
BLOCK = b"\0" * 4096


class SmallDisk:
    """A file system of 8 MiB under a folder, from `mount` to `unmount`.

    Args:
        folder: Where; what was in it is gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def mount(self) -> bool:
        """Whether it could be done."""
        await asyncio.to_thread(self._empty)
        return await _call("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self._folder))

    async def unmount(self) -> None:
        """Nobody uses it any more."""
        await _call("umount", "--lazy", str(self._folder))

    def fill(self, leave: int) -> None:
        """Take all room but so many bytes."""
        room = shutil.disk_usage(self._folder).free - leave
        with (self._folder / BALLAST).open("wb") as ballast:
            for _ in range(max(0, room) // len(BLOCK)):
                ballast.write(BLOCK)

    def relieve(self) -> None:
        """There is room again."""
        (self._folder / BALLAST).unlink(missing_ok=True)

    def _empty(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)


async def _call(*command: str) -> bool:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait() == 0
