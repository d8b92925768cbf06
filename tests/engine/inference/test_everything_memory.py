"""Everything-mode on a photo of 12 megapixels, in a process of its own: what it held at most is the process's."""

import json
import subprocess
import sys

import pytest

#: The model, torch and the photo are 0.4 GB of it.
MOST_MB = 1000

WHOLE = """
import json, resource, sys
import cv2
import numpy as np
from engine.api import DEFAULT_CHECKPOINT
from engine.inference.everything import label_everything
from engine.inference.predictor import Predictor
from engine.inference.settings import EverythingSettings
from engine.model.checkpoint import load_checkpoint

rng = np.random.default_rng(0)
rgb = np.full((3000, 4000, 3), 90, np.uint8)
for _ in range(600):
    colour = tuple(int(v) for v in rng.integers(0, 255, 3))
    cv2.circle(rgb, (int(rng.integers(4000)), int(rng.integers(3000))), int(rng.integers(40, 200)), colour, -1)
predictor = Predictor(load_checkpoint(DEFAULT_CHECKPOINT))
# All masks of all points are kept, so that there are a thousand.
settings = EverythingSettings(min_predicted_iou=0.0, min_stability=0.0, nms_iou=1.0, crop_nms_iou=1.0, points_per_side=20)
found = label_everything(predictor, predictor.embed(rgb), settings)
unit = 2**20 if sys.platform == "darwin" else 2**10
print(json.dumps({"masks": len(found), "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}))
"""


@pytest.mark.soak
def test_a_thousand_masks_of_twelve_megapixels_take_less_than_a_gigabyte():
    done = subprocess.run([sys.executable, "-c", WHOLE], capture_output=True, text=True, check=True)
    held = json.loads(done.stdout)
    assert held["masks"] > 900
    assert held["megabytes"] < MOST_MB
