"""The checkpoints that can be named instead of given as a file, and where they lie on this machine. No torch."""

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER_VARIABLE = "MASKLOOP_CHECKPOINTS"
#: Of what is trained here from nothing.
OWN_LICENCE = "Apache-2.0"


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownCheckpoint:
    """A file that its authors publish.

    Attributes:
        name: of its architecture, too; what `--checkpoint` and `--fetch` take.
        file: its published name.
        url: where its authors publish it.
        size: bytes, to tell people beforehand; the hash decides.
        sha256: of the whole file, 64 hex digits.
    """

    name: str
    file: str
    url: str
    size: int
    sha256: str
    licence: str = "Apache-2.0"  # of weights as of code (SAM-r and MS-r, README)

    @property
    def fetch_command(self) -> str:
        return f"python -m engine checkpoints --fetch {self.name}"


_SAM = "https://dl.fbaipublicfiles.com/segment_anything"

# The six digits in SAM's file names begin the files' MD5. Their authors publish no SHA-256; these are as recorded, alike, by
# several projects that check their downloads from these addresses (micro-sam's registry for one).
KNOWN = {
    known.name: known
    for known in [
        KnownCheckpoint(
            name="sam_vit_b",
            file="sam_vit_b_01ec64.pth",
            url=f"{_SAM}/sam_vit_b_01ec64.pth",
            size=375_042_383,
            sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        ),
        KnownCheckpoint(
            name="sam_vit_l",
            file="sam_vit_l_0b3195.pth",
            url=f"{_SAM}/sam_vit_l_0b3195.pth",
            size=1_249_524_607,
            sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        ),
        KnownCheckpoint(
            name="sam_vit_h",
            file="sam_vit_h_4b8939.pth",
            url=f"{_SAM}/sam_vit_h_4b8939.pth",
            size=2_564_550_879,
            sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        ),
        KnownCheckpoint(
            name="mobile_sam",
            file="mobile_sam.pt",
            url="https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
            size=40_728_226,
            sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
        ),
    ]
}


def checkpoint_folder() -> Path:
    """Where fetched checkpoints lie: `MASKLOOP_CHECKPOINTS`, or `~/.cache/maskloop`."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "maskloop"


def architecture_of(name: str) -> str | None:
    """The one that a published checkpoint's name promises; None for files."""
    return name if name in KNOWN else None
