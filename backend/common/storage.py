"""Where bytes lie: a folder, or an S3 bucket. Keys name content, so nothing is ever overwritten.

file:///var/lib/maskloop        a folder
s3://bucket/prefix              any S3, by S3_ENDPOINT_URL; credentials as boto3 finds them
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from django.conf import settings

CHUNK_BYTES = 1 << 20
UNFINISHED = ".unfinished"  # a folder's own: what is being written, until it gets its name
UNFINISHED_KEPT_SECONDS = 3600
KEPT = "checkpoints/"  # fetched once to each machine
KEPT_UNUSED_SECONDS = 7 * 24 * 3600  # there; after that they are fetched again by whoever wants them


class Missing(Exception):
    """There is nothing under this key."""


class Storage(Protocol):
    def put(self, key: str, content: bytes | Path) -> None:
        """Store whole or not at all. A key that is there already has the same content: nothing to do."""

    def open(self, key: str) -> IO[bytes]:
        """For reading, as a stream. Raises Missing."""

    def size(self, key: str) -> int | None:
        """Bytes, or None where there is nothing."""

    def delete(self, key: str) -> None:
        """For what can be made again, or what no row names any more. Where there is nothing, nothing happens."""

    def keys(self, prefix: str) -> Iterator[str]:
        """What is stored under a prefix: "", or one that ends with a slash. In no order; what comes or goes meanwhile may be
        among it."""
        ...

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """A file on this machine while the block runs. Raises Missing."""
        ...

    def place(self, key: str, path: Path) -> None:
        """Have it under this name, which stays when the block of `local` would be over; to be read only. Raises Missing."""

    def check(self) -> None:
        """Raises OSError where nothing can be written."""

    def tidy(self) -> None:
        """Remove what was begun and left by a process that died."""


class FolderStorage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, key: str, content: bytes | Path) -> None:
        path = self._path(key)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / UNFINISHED
        unfinished.mkdir(exist_ok=True)
        # Not mkstemp's, which nobody else may read: a shared folder has other users, too.
        name = unfinished / uuid4().hex
        try:
            with open(name, "xb") as file:
                if isinstance(content, Path):
                    with open(content, "rb") as source:
                        shutil.copyfileobj(source, file, CHUNK_BYTES)
                else:
                    file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        finally:
            name.unlink(missing_ok=True)

    def open(self, key: str) -> IO[bytes]:
        try:
            return open(self._path(key), "rb")
        except FileNotFoundError:
            raise Missing(key) from None

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        for folder, _, names in os.walk(self._path(prefix)):
            for name in names:
                yield (Path(folder) / name).relative_to(self.folder.resolve()).as_posix()

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        if not path.exists():
            raise Missing(key)
        yield path

    def place(self, key: str, path: Path) -> None:
        """A second name for the same bytes, where both lie on one disk: it takes no room, and no time."""
        with self.local(key) as stored:
            path.unlink(missing_ok=True)  # what is written to a second name is written to the first
            try:
                os.link(stored, path)
            except OSError:  # another disk, or one without links
                shutil.copyfile(stored, path)

    def check(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder) as probe:
            probe.write(b"probe")

    def tidy(self) -> None:
        unfinished = self.folder / UNFINISHED
        for file in unfinished.iterdir() if unfinished.is_dir() else ():
            with suppress(FileNotFoundError):
                # Whoever still writes to it has done so since. A folder has no database whose clock could be asked; files have
                # the clock of where they lie, and so has this one.
                if _clock_of(unfinished) - file.stat().st_mtime > UNFINISHED_KEPT_SECONDS:
                    file.unlink()

    def _path(self, key: str) -> Path:
        path = (self.folder / key).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise ValueError(f"the key {key!r} leaves the storage folder")
        return path


class S3Storage:
    """Objects appear whole or not at all: S3 itself sees to that."""

    def __init__(self, bucket: str, prefix: str, endpoint_url: str | None = None) -> None:
        import boto3

        self.bucket, self.prefix = bucket, prefix
        self.client: Any = boto3.client("s3", endpoint_url=endpoint_url)

    def put(self, key: str, content: bytes | Path) -> None:
        if self.size(key) is not None:
            return
        if isinstance(content, Path):
            self.client.upload_file(str(content), self.bucket, self._name(key))
        else:
            self.client.put_object(Bucket=self.bucket, Key=self._name(key), Body=content)

    def open(self, key: str) -> IO[bytes]:
        from botocore.exceptions import ClientError

        try:
            body: IO[bytes] = self.client.get_object(Bucket=self.bucket, Key=self._name(key))["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise Missing(key) from None
            raise
        return body

    def size(self, key: str) -> int | None:
        from botocore.exceptions import ClientError

        try:
            head = self.client.head_object(Bucket=self.bucket, Key=self._name(key))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        return int(head["ContentLength"])

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def keys(self, prefix: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._name(prefix))
        for page in pages:
            for found in page.get("Contents", ()):
                yield found["Key"].removeprefix(self._name(""))

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        if key.startswith(KEPT):
            yield self._kept(key)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(key).name
            self._download(key, path)
            yield path

    def place(self, key: str, path: Path) -> None:
        self._download(key, path)

    def _kept(self, key: str) -> Path:
        """Weights are asked for with every photo, and the engine knows those it has loaded by path and time of writing."""
        path = Path(settings.WORK_FOLDER) / key
        with suppress(FileNotFoundError):
            os.utime(
                path, ns=(time.time_ns(), path.stat().st_mtime_ns)
            )  # used now; many disks do not note it themselves
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        self._download(key, unfinished)
        os.replace(unfinished, path)
        self._drop_unused(path.parent)
        return path

    def _drop_unused(self, folder: Path) -> None:
        """Room for one more. What serves a dataset is used again and again; what a dead process left unfinished goes, too."""
        for file in folder.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_atime > KEPT_UNUSED_SECONDS:
                    file.unlink()

    def _download(self, key: str, path: Path) -> None:
        with self.open(key) as source, open(path, "wb") as file:
            shutil.copyfileobj(source, file, CHUNK_BYTES)

    def check(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client.put_object(Bucket=self.bucket, Key=self._name(".probe"), Body=b"probe")
        except (BotoCoreError, ClientError) as error:
            raise OSError(f"the bucket {self.bucket}: {error}") from error

    def tidy(self) -> None:
        """Parts of an upload that was not finished are S3's to remove: by a lifecycle rule of the bucket."""

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key


def _clock_of(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder) as probe:
        return os.fstat(probe.fileno()).st_mtime


def get_storage() -> Storage:
    return _storage(settings.STORAGE_URL, os.environ.get("S3_ENDPOINT_URL"))


def read(key: str) -> bytes:
    """All of it. Raises Missing."""
    with get_storage().open(key) as file:
        return file.read()


@lru_cache
def _storage(url: str, endpoint_url: str | None) -> Storage:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderStorage(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return S3Storage(parts.netloc, parts.path.strip("/"), endpoint_url)
    raise ValueError(f"STORAGE_URL is file:///folder or s3://bucket/prefix, not {url!r}")
