"""What comes in from outside, through the door that people use."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from PIL import Image as Pillow

from backend.common.storage import get_storage, read
from backend.datasets.models import Image
from tests.conftest import scene


@pytest.fixture
def upload(dataset, admin, as_user):
    def send(**files: bytes):
        named = [SimpleUploadedFile(name.replace("__", "."), content) for name, content in files.items()]
        reply = as_user(admin).post(f"/api/datasets/{dataset.id}/upload/", {"files": named}, format="multipart")
        assert reply.status_code == 201, reply.content
        return reply.json()

    return send


def refusal_of(report):
    assert report["imported"] == []
    assert Image.objects.count() == 0
    (refused,) = report["refused"]
    assert refused["code"] in ("photo_refused", "archive_refused")
    return refused["message"]


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has next to nothing in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 4000)) + chunk(b"IEND", b"")


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_many_files_and_a_zip_arrive_together_and_one_bad_file_does_not_lose_the_others(upload, jpeg):
    archive = zipped(**{"street/b.jpg": jpeg(seed=2), "street/notes.txt": b"not a photo", "__MACOSX/._b.jpg": b"x"})
    report = upload(a__jpg=jpeg(seed=1), photos__zip=archive)
    assert sorted(i["file_name"] for i in report["imported"]) == ["a.jpg", "b.jpg"]
    assert [r["file_name"] for r in report["refused"]] == ["street/notes.txt"]
    assert Image.objects.count() == 2


def test_the_same_content_twice_is_one_photo(upload, jpeg):
    upload(a__jpg=jpeg())
    report = upload(again__jpg=jpeg())
    assert report["imported"] == []
    assert [i["file_name"] for i in report["already_there"]] == ["a.jpg"]
    assert Image.objects.count() == 1


def test_a_text_file_named_jpg_is_refused(upload):
    assert "not a photo" in refusal_of(upload(a__jpg=b"Dear diary"))


def test_an_empty_file_is_refused(upload):
    assert "is empty" in refusal_of(upload(a__jpg=b""))


def test_a_truncated_jpeg_is_refused(upload, jpeg):
    whole = jpeg(width=400, height=300)
    assert "cut short" in refusal_of(upload(a__jpg=whole[: len(whole) // 2]))


def test_a_decompression_bomb_is_refused_before_it_is_decoded(upload):
    bomb = png_header(40_000, 40_000)
    assert len(bomb) < 1000
    assert "40000 x 40000" in refusal_of(upload(a__png=bomb))


def test_an_animated_image_is_refused(upload):
    out = io.BytesIO()
    frames = [Pillow.fromarray(scene(20, 30, seed)[0]) for seed in range(3)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    assert "animated" in refusal_of(upload(a__webp=out.getvalue()))


def test_a_16_bit_image_is_shown_scaled_and_not_cut_off(upload):
    out = io.BytesIO()
    values = np.linspace(0, 65535, 30 * 20).reshape(20, 30).astype(np.uint16)
    Pillow.fromarray(values).save(out, "PNG")
    upload(a__png=out.getvalue())
    image = Image.objects.get()
    shown = np.asarray(Pillow.open(io.BytesIO(read(image.display_key))).convert("L"))
    assert shown.dtype == np.uint8
    np.testing.assert_allclose(shown, values / 257, atol=1)


def test_a_cmyk_jpeg_is_shown_in_rgb_and_kept_as_it_came(upload):
    out = io.BytesIO()
    Pillow.fromarray(scene(20, 30, 1)[0]).convert("CMYK").save(out, "JPEG")
    upload(a__jpg=out.getvalue())
    image = Image.objects.get()
    assert Pillow.open(io.BytesIO(read(image.display_key))).mode == "RGB"
    assert read(image.original_key) == out.getvalue()


def test_exif_rotation_is_applied_to_size_and_pixels_and_the_original_stays(upload):
    rgb = scene(20, 30, 1)[0]
    picture, out = Pillow.fromarray(rgb), io.BytesIO()
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turn right to stand upright
    picture.save(out, "JPEG", exif=exif, quality=95, subsampling=0)
    upload(a__jpg=out.getvalue())
    image = Image.objects.get()
    assert image.size == (30, 20)
    shown = Pillow.open(io.BytesIO(read(image.display_key)))
    assert shown.size == (20, 30)
    assert shown.getexif().get(0x0112, 1) == 1
    # JPEG twice: close on the whole, and nothing like any other way up.
    apart = [np.abs(np.asarray(shown).astype(int) - np.rot90(rgb, turns).astype(int)).mean() for turns in (-1, 1)]
    assert apart[0] < 6 < 12 < apart[1]
    assert read(image.original_key) == out.getvalue()


@pytest.mark.parametrize("path", ["../outside.jpg", "a/../../outside.jpg", "/etc/outside.jpg", "C:\\outside.jpg"])
def test_a_zip_member_cannot_point_outside_the_archive(upload, jpeg, path):
    assert "outside the archive" in refusal_of(upload(a__zip=zipped(**{path: jpeg()})))


def test_a_zip_member_that_is_a_symlink_is_refused(upload):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "is a link" in refusal_of(upload(a__zip=out.getvalue()))


def test_a_zip_bomb_is_refused_without_being_unpacked(upload):
    bomb = zipped(**{"a.jpg": b"\0" * (64 << 20)})
    assert len(bomb) < 1 << 20
    assert "would unpack" in refusal_of(upload(a__zip=bomb))


def test_a_zip_cut_short_is_refused(upload, jpeg):
    whole = zipped(**{"a.jpg": jpeg()})
    assert "damaged" in refusal_of(upload(a__zip=whole[:-30]))


def test_a_stranger_cannot_tell_whether_a_dataset_exists(dataset, stranger, as_user, jpeg, photo):
    client = as_user(stranger)
    for path in (
        f"/api/datasets/{dataset.id}/",
        "/api/datasets/00000000-0000-7000-8000-000000000000/",
        f"/api/datasets/{dataset.id}/images/",
        f"/api/datasets/{dataset.id}/checkpoints/",
        f"/api/datasets/{dataset.id}/training-runs/",
        f"/api/datasets/{dataset.id}/releases/",
        f"/api/datasets/{dataset.id}/figures/",
        f"/api/images/{photo.id}/pixels/",
        f"/api/images/{photo.id}/thumbnail/",
        f"/api/images/{photo.id}/masks/",
    ):
        reply = client.get(path)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found"), path
    file = SimpleUploadedFile("a.jpg", jpeg(seed=9))
    assert client.post(f"/api/datasets/{dataset.id}/upload/", {"files": [file]}).status_code == 404
    assert client.get("/api/datasets/").json() == []


def test_an_annotator_may_not_add_photos(dataset, annotator, as_user, jpeg):
    file = SimpleUploadedFile("a.jpg", jpeg())
    reply = as_user(annotator).post(f"/api/datasets/{dataset.id}/upload/", {"files": [file]})
    assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed")


def test_photos_of_one_group_are_in_one_split(dataset, admin, as_user, jpeg):
    files = [SimpleUploadedFile(f"{seed}.jpg", jpeg(seed=seed)) for seed in range(8)]
    as_user(admin).post(f"/api/datasets/{dataset.id}/upload/", {"files": files, "group": "one video"})
    assert len(set(Image.objects.values_list("split", flat=True))) == 1


def test_import_images_takes_a_folder(dataset, jpeg, tmp_path, capsys):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jpg").write_bytes(jpeg(seed=1))
    (tmp_path / "b.png").write_bytes(jpeg(seed=2, format="PNG"))
    (tmp_path / "broken.jpg").write_bytes(b"no")
    call_command("import_images", str(dataset.id), str(tmp_path))
    assert Image.objects.filter(dataset=dataset).count() == 2
    assert "broken.jpg" in capsys.readouterr().err


def test_a_half_written_file_is_never_seen_under_its_name(settings, tmp_path, monkeypatch):
    from backend.common import storage as module

    folder = module.FolderStorage(tmp_path / "storage")
    monkeypatch.setattr(module.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        folder.put("images/abc", b"half of it")
    assert folder.size("images/abc") is None
    assert [p for p in (tmp_path / "storage").rglob("*") if p.is_file()] == []


def test_a_storage_key_cannot_leave_the_folder(tmp_path):
    from backend.common.storage import FolderStorage

    with pytest.raises(ValueError, match="leaves the storage folder"):
        FolderStorage(tmp_path / "in").put("../out", b"x")
    assert not (tmp_path / "out").exists()


def test_the_page_gets_a_photo_with_an_etag_and_keeps_it(photo, admin, as_user):
    client = as_user(admin)
    first = client.get(f"/api/images/{photo.id}/pixels/")
    assert first.status_code == 200
    assert first.content == read(photo.display_key)
    assert "immutable" in first["Cache-Control"]
    assert client.get(f"/api/images/{photo.id}/pixels/", HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    assert get_storage().size(photo.original_key) == photo.byte_size
    assert Path(photo.file_name).suffix == ".jpg"


def test_a_zip_with_a_flipped_bit_loses_that_member_and_no_other(upload, jpeg):
    content = jpeg(width=300, height=200, seed=4)
    whole = bytearray(zipped(**{"a.jpg": content, "b.jpg": jpeg(seed=5)}))
    whole[200] ^= 0xFF
    whole[260] ^= 0xFF
    report = upload(a__zip=bytes(whole), c__jpg=jpeg(seed=6))
    assert sorted(i["file_name"] for i in report["imported"]) == ["b.jpg", "c.jpg"]
    assert [r["file_name"] for r in report["refused"]] == ["a.jpg"]


def test_a_zip_member_without_a_name_is_refused(upload, jpeg):
    assert "outside the archive" in refusal_of(upload(a__zip=zipped(**{".": jpeg()})))


def test_a_damaged_tiff_is_refused(upload):
    out = io.BytesIO()
    Pillow.fromarray(scene(20, 30, 1)[0]).save(out, "TIFF")
    whole = bytearray(out.getvalue())
    for damage in (bytes(whole[:60]), bytes(whole).replace(struct.pack("<H", 256), struct.pack("<H", 65000), 1)):
        refusal_of(upload(a__tif=damage))


def test_a_photo_larger_than_is_taken_is_refused_unread(upload, jpeg, settings):
    settings.MAX_PHOTO_BYTES = 100
    assert "larger than" in refusal_of(upload(a__jpg=jpeg()))
