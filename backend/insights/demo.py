"""Photos that come with scikit-image's wheel, for a first look. All are free: public domain, CC0, or as stated.

What is said here of each is what scikit-image's own documentation says (skimage.data).
"""

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class DemoPhoto:
    file_name: str
    licence: str
    attribution: str

    def content(self) -> bytes:
        return files("skimage.data").joinpath(self.file_name).read_bytes()


DEMO_PHOTOS = (
    DemoPhoto("coffee.png", "CC0", "Photograph by Rachel Michetti (Pikolo Espresso Bar), by way of scikit-image"),
    DemoPhoto("chelsea.png", "CC0", "Chelsea the cat; photograph by Stefan van der Walt, by way of scikit-image"),
    DemoPhoto(
        "coins.png", "Public domain", "Greek coins from Pompeii; Brooklyn Museum Collection, by way of scikit-image"
    ),
    DemoPhoto("astronaut.png", "Public domain", "Eileen Collins; NASA Great Images, by way of scikit-image"),
    DemoPhoto("rocket.jpg", "CC0", "Launch of DSCOVR on a Falcon 9; photograph by SpaceX, by way of scikit-image"),
    DemoPhoto(
        "motorcycle_left.png",
        "CC0",
        "Middlebury 2014 stereo data by Daniel Scharstein and others, by way of scikit-image",
    ),
    DemoPhoto("hubble_deep_field.jpg", "Public domain", "Hubble eXtreme Deep Field; NASA, by way of scikit-image"),
    DemoPhoto("retina.jpg", "CC0", "Retina of a healthy eye; photograph by Mikael Häggström, by way of scikit-image"),
)
