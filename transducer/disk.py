"""Files that are whole or not there: written aside, flushed, moved into place, sealed.

A seal is a hash behind the last byte of a file. Readers of HDF5 do not mind it, and it tells a file
that is as it was written from one that was damaged or came from elsewhere.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path

from cavities.errors import DataError

IN_FLIGHT: set[Path] = set()
"""Temporary files that exist right now; whoever ends the process at once removes them."""


def require_free(path: Path, overwrite: bool) -> None:
    """Refuse a place where no file can or may be written.

    Raises
    ------
    DataError
        If something stands there and `overwrite` is not set, or it is no place for a file.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder; give the name of a file")
        if (path.exists() or path.is_symlink()) and not overwrite:
            raise DataError(
                f"{path}: exists already and is kept; choose another name or add --overwrite"
            )
        for folder in path.parents:
            if folder.exists():
                if not folder.is_dir():
                    raise DataError(
                        f"{path}: {folder} is a file, not a folder; choose another name"
                    )
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise DataError(f"{path}: {folder} may not be written to; choose another name")
                break
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or str(error)
    return DataError(f"{path}: cannot be written: {reason}; free space or choose another place")


def place(files: Mapping[Path, bytes], overwrite: bool = False) -> None:
    """Put files into place, all of them or none.

    Each is written under a temporary name beside its place and flushed; only when all are on the
    disk are they moved.

    Parameters
    ----------
    files : mapping of Path to bytes
        Where they belong and what is in them; folders are made if need be.
    overwrite : bool
        Whether files that stand there may be replaced; otherwise they are kept, even those that
        appeared meanwhile.

    Raises
    ------
    DataError
        If a place is taken or cannot be written; nothing is left behind.
    """
    waiting: dict[Path, Path] = {}
    undo: list[Callable[[], object]] = []
    path = next(iter(files))
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting[path] = _written(path, content)
        for path, temporary in waiting.items():
            if overwrite:
                undo.append(_replaced(temporary, path))
            else:
                claim(temporary, path)
                undo.append(partial(path.unlink, missing_ok=True))
    except FileExistsError:
        _undone(undo)
        raise DataError(f"{path}: appeared meanwhile and is kept; choose another name") from None
    except (OSError, ValueError) as error:
        _undone(undo)
        raise _unwritable(path, error) from None
    finally:
        for temporary in [*waiting.values(), *map(_backup, waiting.values())]:
            temporary.unlink(missing_ok=True)
            IN_FLIGHT.discard(temporary)


def _backup(temporary: Path) -> Path:
    return temporary.with_suffix(".old")


def claim(temporary: Path, path: Path) -> None:
    """Move a file to a place that must be free; `FileExistsError` if it is not."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: claim the name, then move onto it
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(temporary, path)


def _replaced(temporary: Path, path: Path) -> Callable[[], object]:
    """Move a file over another one; what is returned brings the old one back."""
    kept = _backup(temporary)
    back: Callable[[], object] = partial(path.unlink, missing_ok=True)
    if path.exists():
        IN_FLIGHT.add(kept)
        try:
            os.link(path, kept)
        except OSError:
            shutil.copy2(path, kept)
        back = partial(os.replace, kept, path)
    os.replace(temporary, path)
    return back


def _undone(steps: list[Callable[[], object]]) -> None:
    for step in reversed(steps):
        step()


def _written(path: Path, content: bytes) -> Path:
    """Write a temporary file beside `path` and flush it to the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    IN_FLIGHT.add(temporary)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~umask())
    except BaseException:
        temporary.unlink(missing_ok=True)
        IN_FLIGHT.discard(temporary)
        raise
    return temporary


def umask() -> int:
    """Permissions that new files of this process go without."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def fresh_path(folder: Path, stem: str) -> Path:
    """A path in `folder` that no archive has yet.

    Stem, date and time, and a counter where that is taken.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    count = 1
    while True:
        tail = "" if count == 1 else f"-{count}"
        path = folder / f"{stem}-{stamp}{tail}.h5"
        if not path.exists() and not path.with_suffix(".png").exists():
            return path
        count += 1


SEAL = b"TTKSEAL1"
"""Mark in front of the hash."""
_TAIL = len(SEAL) + 32


def sealed(content: bytes) -> bytes:
    """Content with its seal behind it.

    Examples
    --------
    >>> is_sealed(sealed(b"figures")), is_sealed(b"figures"), is_sealed(sealed(b"figures")[1:])
    (True, False, False)
    """
    return content + SEAL + hashlib.sha256(content).digest()


def is_sealed(content: bytes) -> bool:
    """Whether content ends in the seal of what stands before it."""
    view = memoryview(content)  # a slice of bytes would be a copy
    return bytes(view[-_TAIL:]) == SEAL + hashlib.sha256(view[:-_TAIL]).digest()


def seal_file(path: Path) -> None:
    """Append the seal to a file and flush it to the disk."""
    digest = _digest(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(SEAL + digest)
        file.flush()
        os.fsync(file.fileno())


def unsealed(content: bytes) -> bytes:
    """Content without its seal."""
    return content[:-_TAIL]


class Seal(Enum):
    """What the end of a file says."""

    WHOLE = "whole"
    """It is as it was written."""
    BROKEN = "broken"
    """It was changed since."""
    NONE = "none"
    """Nobody sealed it, or its end is gone."""


def seal_of(path: Path) -> Seal:
    """Look at the end of a file and compare.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    size = path.stat().st_size - _TAIL
    if size < 0:
        return Seal.NONE
    with path.open("rb") as file:
        file.seek(size)
        tail = file.read()
    if tail[: len(SEAL)] != SEAL:
        return Seal.NONE
    return Seal.WHOLE if tail == SEAL + _digest(path, size) else Seal.BROKEN


def _digest(path: Path, size: int) -> bytes:
    """SHA-256 of the first `size` bytes."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0:
            piece = file.read(min(size, 1 << 22))
            if not piece:
                break
            found.update(piece)
            size -= len(piece)
    return found.digest()


def flush_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
