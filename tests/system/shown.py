"""What the page shows, beside what the database has."""

import base64
from typing import Any

import numpy as np
from playwright.sync_api import Page
from pycocotools import mask as coco

from tests.system.client import Client

TILE = 64  # pixels; the side of the squares in which painted pixels are kept

#: The editor is a prop of the stage; React keeps props beside the DOM. The page itself offers nothing for this.
EDITOR = """
const editorOf = () => {
  const stage = document.querySelector('[data-testid=stage]')
  if (!stage) return null
  const key = Object.keys(stage).find(name => name.startsWith('__reactFiber'))
  for (let fiber = stage[key]; fiber; fiber = fiber.return) {
    if (fiber.memoizedProps?.editor?.store) return fiber.memoizedProps.editor
  }
  return null
}
const packed = bits => btoa(Array.from(bits, bit => String.fromCharCode(bit)).join(''))
const pixelsOf = ({ size, box, bits }) => ({ size: [size.height, size.width], box: [...box], bits: packed(bits) })
const paintedOf = ({ base, tiles }) => ({ ...pixelsOf(base), tiles: [...tiles].map(([at, bits]) => [at, packed(bits)]) })
"""

MASKS = f"() => {{ {EDITOR} return editorOf().store.getState().masks.map(m => [m.id, pixelsOf(m.mask)]) }}"

IN_WORK = f"""() => {{ {EDITOR}
  const state = editorOf()?.store.getState()
  const shown = state?.candidates[state.chosen]
  if (!state || state.isWaiting || !(shown || state.painted)) return null
  const pixels = state.painted ? paintedOf(state.painted.pixels) : pixelsOf(shown.mask)
  return {{ photo: state.photo, clicks: state.prompts.length, ...pixels }}
}}"""

PHOTO = f"() => {{ {EDITOR} return editorOf()?.store.getState().photo ?? null }}"


def pixels(told: dict[str, Any]) -> np.ndarray:
    """(height, width) booleans of what `pixelsOf` says."""
    whole = np.zeros(told["size"], bool)
    x0, y0, x1, y1 = told["box"]
    if x1 > x0:
        own = np.frombuffer(base64.b64decode(told["bits"]), np.uint8)
        whole[y0:y1, x0:x1] = own.reshape(y1 - y0, x1 - x0)
    for at, bits in told.get("tiles", []):  # what was painted takes the place of what was there
        row, column = divmod(at, -(-whole.shape[1] // TILE))
        place = whole[row * TILE :, column * TILE :][:TILE, :TILE]
        tile = np.frombuffer(base64.b64decode(bits), np.uint8).reshape(TILE, TILE)
        place[:] = tile[: place.shape[0], : place.shape[1]]
    return whole


def shown_masks(page: Page) -> dict[str, np.ndarray]:
    return {mask_id: pixels(told) for mask_id, told in page.evaluate(MASKS)}


def stored_masks(script: Client, image_id: str) -> dict[str, np.ndarray]:
    return {
        mask["id"]: coco.decode({"size": mask["size"], "counts": mask["counts"].encode()}).astype(bool)
        for mask in script.get(f"/api/images/{image_id}/masks/")
    }


def in_work(page: Page) -> np.ndarray | None:
    """The pixels of the object in work."""
    told = page.evaluate(IN_WORK)
    return None if told is None else pixels(told)


def clicks_answered(page: Page) -> int:
    """How many prompts the object in work has, once they are answered."""
    told = page.evaluate(IN_WORK)
    return 0 if told is None else told["clicks"]


def assert_same(shown: dict[str, np.ndarray], stored: dict[str, np.ndarray]) -> None:
    assert shown.keys() == stored.keys()
    for mask_id, own in shown.items():
        assert np.array_equal(own, stored[mask_id]), f"{mask_id} differs in {(own != stored[mask_id]).sum()} pixels"
