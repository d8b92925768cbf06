"""Batches made where training is: photos and masks lie in the device's memory, and a batch's windows are cut all at once.

I photos, K objects of each, M at most, S pixels a window's side, L pixels a photo's longest side as it is kept, H x W cells of
the logits. This follows `engine.data.samples` window by window, but for two things: the object that a window was cut around is
always among those that are asked for, and photos are shrunk by halves, from a pyramid. Texts are not known here.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.data.batches import DeviceBatch, Wanted
from engine.data.records import Record
from engine.data.samples import Augmentation, Photo, scale_of_lot
from engine.data.sources import NoObjects

#: What padding is after normalising: nothing.
BORDER = (124, 116, 104)
#: Halvings of a photo that are kept ready.
LEVELS = 4
#: Tries to find a window with an object in it.
MOST_TRIES = 100


class DeviceSource:
    """
    Args:
        records: with photos; all are read now.
    Raises:
        DataInvalid: a file cannot be read.
        NoObjects: none has a mask.
    """

    holds_embeddings = False

    def __init__(self, records: list[Record], augmentation: Augmentation, device: str) -> None:
        self.augmentation, self.device = augmentation, torch.device(device)
        longest = augmentation.kept_side
        photos = [photo for photo in _loaded(records, augmentation) if len(photo.masks)]
        if not photos:
            raise NoObjects("none of the photos has a mask to learn from")
        canvas = torch.tensor(BORDER, dtype=torch.uint8).view(1, 3, 1, 1).expand(len(photos), 3, longest, longest)
        self.pyramid = [canvas.to(self.device, copy=True)]
        most = max(len(photo.masks) for photo in photos)
        weights, first = torch.zeros(len(photos), most), []
        self.masks_MLL = torch.zeros(
            sum(len(p.masks) for p in photos), longest, longest, dtype=torch.bool, device=self.device
        )
        filled = 0
        for index, photo in enumerate(photos):
            height, width = photo.rgb.shape[:2]
            self.pyramid[0][index, :, :height, :width] = torch.from_numpy(photo.rgb).permute(2, 0, 1).to(self.device)
            first.append(filled)
            for number in range(len(photo.masks)):
                self.masks_MLL[filled, :height, :width] = torch.from_numpy(photo.mask(number) > 0).to(self.device)
                filled += 1
            weights[index, : len(photo.masks)] = torch.from_numpy(photo.weights).float()
        for _ in range(LEVELS - 1):
            half = F.avg_pool2d(self.pyramid[-1].float(), 2, ceil_mode=True)
            self.pyramid.append(half.round().to(torch.uint8))
        self.size_I2 = torch.tensor([photo.rgb.shape[:2] for photo in photos], device=self.device)
        self.weights_IM, self.first_I = weights.to(self.device), torch.tensor(first, device=self.device)
        # As in `PhotosInMemory`: the mean weight, times the root of the count.
        count_I = torch.tensor([len(photo.masks) for photo in photos], device=self.device)
        self.chances_I = self.weights_IM.sum(1) / count_I.sqrt()

    def batch(self, wanted: Wanted, rng: np.random.Generator) -> DeviceBatch:
        """
        Raises:
            NoObjects: the objects are too small.
        """
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        for _ in range(MOST_TRIES):
            windows = _Windows(self, wanted, generator)
            truth_IKHW, found_IK = self._objects(windows, wanted, generator)
            if found_IK.any():
                images_I3SS = self._recoloured(self._pixels(windows, wanted.side), generator)
                return DeviceBatch(images_I3SS, found_IK.nonzero()[:, 0], truth_IKHW[found_IK])
        raise NoObjects("the photos' objects are too small to learn from")

    def _objects(self, windows: "_Windows", wanted: Wanted, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Candidates' masks at the logits' resolution, (I, K', H, W), and which of them the batch holds, (I, K')."""
        size_I2 = self.size_I2[windows.photo_I]
        y0, y1, ty = _between(windows.y_IS, size_I2[:, :1])
        x0, x1, tx = _between(windows.x_IS, size_I2[:, 1:])
        (a, b), (c, d) = (
            tuple(
                self.masks_MLL[windows.objects_IK[..., None, None], y[:, None, :, None], x[:, None, None, :]].float()
                for x in (x0, x1)
            )
            for y in (y0, y1)
        )
        tx, ty = tx[:, None, None, :], ty[:, None, :, None]
        shares_IKSS = torch.lerp(torch.lerp(a, b, tx), torch.lerp(c, d, tx), ty) * windows.inside_ISS[:, None]
        area_IK, least_IK = shares_IKSS.sum(dim=(2, 3)), shares_IKSS.amin(dim=(2, 3))
        truth_IKHW = F.avg_pool2d(shares_IKSS, self.augmentation.stride // 4) > 0.5
        fits_IK = (area_IK >= self.augmentation.min_area_px) & (least_IK <= 0.5) & windows.real_IK
        fits_IK &= truth_IKHW.any(dim=3).any(dim=2)
        return truth_IKHW, fits_IK & (fits_IK.cumsum(1) <= wanted.objects)

    def _pixels(self, windows: "_Windows", side: int) -> Tensor:
        """(I, 3, S, S) of 0..255: bilinear, from the level of the pyramid that is not much larger than the window."""
        pixels_I3SS = torch.empty(len(windows.photo_I), 3, side, side, device=self.device)
        for level, photos in enumerate(self.pyramid):
            mine = (windows.level_I == level).nonzero()[:, 0]
            if len(mine):
                photo, shrink = windows.photo_I[mine], 2**level
                size_n2 = (self.size_I2[photo] / shrink).ceil()
                y0, y1, ty = _between(windows.y_IS[mine] / shrink, size_n2[:, :1])
                x0, x1, tx = _between(windows.x_IS[mine] / shrink, size_n2[:, 1:])
                channel = torch.arange(3, device=self.device).view(1, 3, 1, 1)
                at = photo.view(-1, 1, 1, 1), channel
                (a, b), (c, d) = (
                    tuple(photos[*at, y[:, None, :, None], x[:, None, None, :]].float() for x in (x0, x1))
                    for y in (y0, y1)
                )
                tx, ty = tx[:, None, None, :], ty[:, None, :, None]
                pixels_I3SS[mine] = torch.lerp(torch.lerp(a, b, tx), torch.lerp(c, d, tx), ty)
        border = torch.tensor(BORDER, device=self.device, dtype=torch.float32).view(1, 3, 1, 1)
        return torch.where(windows.inside_ISS[:, None], pixels_I3SS, border)

    def _recoloured(self, rgb_I3SS: Tensor, generator: torch.Generator) -> Tensor:
        strength, count = self.augmentation.colour, len(rgb_I3SS)
        if not strength:
            return rgb_I3SS
        changes = strength * (2 * torch.rand(count, 5, 1, 1, generator=generator, device=self.device) - 1)
        contrast, brightness, cast = 1 + changes[:, :1], changes[:, 1:2] * 96, 1 + changes[:, 2:] * 0.4
        is_grey = torch.rand(count, 1, 1, 1, generator=generator, device=self.device) < 0.1
        mixed = torch.where(is_grey, rgb_I3SS.mean(1, keepdim=True), rgb_I3SS)
        return ((mixed - 116) * contrast * cast + 116 + brightness).clamp(0, 255)


class _Windows:
    """Where a batch's windows lie.

    Attributes:
        photo_I: which photo each shows; level_I: from which level of the pyramid.
        objects_IK: twice as many of its objects as are wanted, in the order of their draw; real_IK: which of them there are.
        y_IS, x_IS: of the windows' pixels, in the photo's; inside_ISS: where there is photo.
    """

    def __init__(self, source: DeviceSource, wanted: Wanted, generator: torch.Generator) -> None:
        device, augmentation = source.device, source.augmentation

        def draw(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator, device=device)

        count, side = wanted.photos, wanted.side
        self.photo_I = torch.multinomial(source.chances_I, count, replacement=True, generator=generator)
        weights_IM = source.weights_IM[self.photo_I]
        # The largest of log(weight) + Gumbel is each with its weight's chance, the next of the others with theirs.
        gumbel_IM = -torch.log(-torch.log(draw(*weights_IM.shape).clamp(1e-20, 1 - 1e-7)))
        order_IK = (weights_IM.log() + gumbel_IM).topk(min(2 * wanted.objects, weights_IM.shape[1]), dim=1).indices
        self.real_IK = weights_IM.gather(1, order_IK) > 0
        first_I1 = source.first_I[self.photo_I].unsqueeze(1)
        self.objects_IK = torch.where(self.real_IK, first_I1 + order_IK, first_I1)
        size_I2 = source.size_I2[self.photo_I].float()
        shown_I = scale_of_lot(draw(count), wanted.scale, wanted.scale_drawn)
        scale_I = shown_I * augmentation.full_side / size_I2.amax(1)
        self.level_I = ((scale_I < 0.6).long() + (scale_I < 0.15) + (scale_I < 0.075)).clamp(max=LEVELS - 1)
        focus_I2 = random_cells(source.masks_MLL[self.objects_IK[:, 0]], generator)  # (x, y)
        y_I, x_I = (
            _begin(focus_I2[:, 1 - axis], size_I2[:, axis], side / scale_I, augmentation.flush, draw(3, count))
            for axis in (0, 1)
        )
        steps_S = torch.arange(side, device=device) + 0.5
        self.y_IS = y_I[:, None] + steps_S / scale_I[:, None]
        is_flipped_I1 = draw(count, 1) < augmentation.flip
        self.x_IS = x_I[:, None] + torch.where(is_flipped_I1, side - steps_S, steps_S) / scale_I[:, None]
        rows_IS, columns_IS = (
            (at >= 0) & (at < size_I2[:, axis, None]) for axis, at in ((0, self.y_IS), (1, self.x_IS))
        )
        self.inside_ISS = rows_IS[:, :, None] & columns_IS[:, None, :]


def random_cells(region_BHW: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 2) of x and y: of each region a cell, any as likely as the others; no region may be empty."""
    lots_BP = torch.rand(region_BHW.flatten(1).shape, generator=generator, device=region_BHW.device)
    chosen_B = torch.where(region_BHW.flatten(1), lots_BP, -1.0).argmax(1)
    width = region_BHW.shape[2]
    return torch.stack([chosen_B % width, chosen_B // width], dim=1)


def _begin(focus_I: Tensor, length_I: Tensor, extent_I: Tensor, flush: float, lots_3I: Tensor) -> Tensor:
    """Where windows begin along one axis: they hold the focus, and no more padding than they must."""
    padded_I = -lots_3I[0] * (extent_I - length_I) * (lots_3I[1] < 1 - flush)
    low_I = (focus_I + 1 - extent_I).clamp(min=0)
    high_I = torch.minimum(focus_I.float(), length_I - extent_I)
    return torch.where(extent_I >= length_I, padded_I, low_I + lots_3I[2] * (high_I - low_I))


def _between(at_nS: Tensor, length_n1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The two pixels whose middles a place lies between, and how near it is to the second: 0..1."""
    centred_nS = torch.minimum((at_nS - 0.5).clamp(min=0), length_n1 - 1)
    low_nS = centred_nS.floor()
    return low_nS.long(), torch.minimum(low_nS + 1, length_n1 - 1).long(), centred_nS - low_nS


def _loaded(records: list[Record], augmentation: Augmentation) -> Iterator[Photo]:
    def load(record: Record) -> Photo:
        return Photo.load(
            record,
            augmentation.kept_side,
            largest_share=augmentation.largest_share,
            preprocessing=augmentation.preprocessing,
        )

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(load, records)
