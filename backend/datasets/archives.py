"""Zip files from outside: read member by member, never unpacked to disk."""

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from django.conf import settings

from backend.datasets.errors import ArchiveRefused

MAX_MEMBERS = 100_000
MAX_RATIO = 200  # unpacked to packed, of one member; photos hardly shrink at all
_RATIO_MATTERS_FROM = 10 << 20  # bytes
#: All that zipfile and its decompressors raise on members that are damaged, or packed in a way they do not know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, ValueError, RuntimeError, EOFError)


def is_archive(head: bytes) -> bool:
    """By its first bytes, not by its name."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def read_archive(file: IO[bytes], name: str) -> Iterator[tuple[str, bytes | ArchiveRefused]]:
    """Its files, one after another: a path inside the archive and the content, or why that one is refused.

    Raises:
        ArchiveRefused: not a whole zip, or as a whole too much. Nothing was read then.
    """
    try:
        archive = zipfile.ZipFile(file)
    except _UNREADABLE:
        raise ArchiveRefused(f"{name} is not a zip file, or is damaged.") from None
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir() and not _is_noise(info.filename)]
        if len(members) > MAX_MEMBERS:
            raise ArchiveRefused(f"{name} holds {len(members)} files; at most {MAX_MEMBERS} are taken.")
        if sum(info.file_size for info in members) > settings.MAX_ARCHIVE_BYTES:
            raise ArchiveRefused(f"{name} would unpack to more than {settings.MAX_ARCHIVE_BYTES >> 30} GB.")
        for info in members:
            try:
                yield info.filename, _read_member(archive, info, name)
            except ArchiveRefused as refusal:
                yield info.filename, refusal


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or not path.parts or ".." in path.parts or ":" in path.parts[0]:
        raise ArchiveRefused(f"{info.filename} in {name} points outside the archive.")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise ArchiveRefused(f"{info.filename} in {name} is a link, not a file.")
    if info.flag_bits & 0x1:
        raise ArchiveRefused(f"{info.filename} in {name} is encrypted.")
    if info.file_size > settings.MAX_PHOTO_BYTES or (
        info.file_size > _RATIO_MATTERS_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size)
    ):
        raise ArchiveRefused(f"{info.filename} in {name} would unpack to {info.file_size >> 20} MB.")
    try:
        with archive.open(info) as member:
            content = member.read(info.file_size + 1)
    except _UNREADABLE as error:
        raise ArchiveRefused(f"{info.filename} in {name} cannot be unpacked: {error}.") from error
    if len(content) != info.file_size:
        raise ArchiveRefused(f"{info.filename} in {name} is not as long as the archive says.")
    return content


def _is_noise(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return "__MACOSX" in parts or any(part.startswith(".") and part not in ("..", ".") for part in parts)
