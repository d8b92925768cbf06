"""A detector of the live checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.autolabel.models import Detector
from backend.checkpoints.models import Checkpoint
from backend.common.storage import get_storage
from backend.datasets.models import Dataset


@pytest.fixture
def detector(dataset: Dataset, live: Checkpoint, tmp_path: Path) -> Detector:
    """A head with random weights whose every mask is called 90% certain, at a promised precision of 0.8."""
    from engine.detector.calibration import Calibration, PrecisionThreshold
    from engine.detector.files import save_detector
    from engine.detector.head import DetectorHead
    from engine.detector.quality import FEATURES, Quality

    torch.manual_seed(3)
    channels, grid, _ = live.embedding_shape
    config = DetectorHead.Config(
        channels=channels, grid=grid, image_side=live.input_side, hidden=8, dilations=(1,), size_bounds=(0.3,)
    )
    steps = (PrecisionThreshold(0.5, 0.85, 0.8, 100),)
    certain = Calibration(np.array([0.0, 1.0]), np.array([0.9, 0.9]), steps, 5, 100)
    file = tmp_path / "detector.safetensors"
    count = len(FEATURES)
    quality = Quality(np.zeros(count), np.ones(count), np.zeros(count + 1), certain, live.decoder_hash)
    info = save_detector(file, DetectorHead(config), certain, quality, encoder_hash=live.encoder_hash, training={})
    get_storage().put("detectors/test", file)
    return Detector.objects.create(
        dataset=dataset,
        encoder_hash=live.encoder_hash,
        decoder_hash=live.decoder_hash,
        detector_hash=info.detector_hash,
        storage_key="detectors/test",
        thresholds=[{"confidence": 0.5, "precision": 0.85, "lower_bound": 0.8, "boxes": 100}],
    )
