"""Storage in a folder."""

import os
import stat

import pytest

from backend.common.storage import FolderStorage


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_who_may_read_a_file_is_the_umasks_to_say(tmp_path, umask, mode):
    storage = FolderStorage(tmp_path / "storage")
    (tmp_path / "photo").write_bytes(b"photo")
    before = os.umask(umask)
    try:
        storage.put("images/bytes", b"photo")
        storage.put("images/file", tmp_path / "photo")
    finally:
        os.umask(before)
    for name in ("bytes", "file"):
        assert stat.S_IMODE((tmp_path / "storage" / "images" / name).stat().st_mode) == mode
