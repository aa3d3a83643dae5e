"""A full disk: a small file system mounted on a bridge's folder, and a ballast file that fills it.

Needs the right to mount; without it this fault is skipped.
"""

import asyncio
import shutil
from pathlib import Path

SIZE = "8m"
BALLAST = "ballast"
BLOCK = b"\0" * 4096


class SmallDisk:
    """A file system of 8 MiB, mounted on a folder.

    Args:
        folder: Its contents are deleted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def mount(self) -> bool:
        """Mount it, and return whether that was possible."""
        await asyncio.to_thread(self._clear)
        return await _run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self._folder))

    async def unmount(self) -> None:
        """Unmount it; nothing uses it any more."""
        await _run("umount", "--lazy", str(self._folder))

    def fill(self, free_bytes: int) -> None:
        """Fill it until only this much is free."""
        ballast_bytes = shutil.disk_usage(self._folder).free - free_bytes
        with (self._folder / BALLAST).open("wb") as ballast:
            for _ in range(max(0, ballast_bytes) // len(BLOCK)):
                ballast.write(BLOCK)

    def make_room(self) -> None:
        """Remove the ballast."""
        (self._folder / BALLAST).unlink(missing_ok=True)

    def _clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)


async def _run(*command: str) -> bool:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait() == 0
