"""When thresholds are chosen without anybody asking: once the live checkpoint has the detector that is to be tried, too.

A calibration takes minutes of all cores. One begun at the promotion would begin anew when the detector is ready.
"""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from backend.autolabel.calibration import calibration_ensure
from backend.autolabel.errors import NothingToCalibrateOn
from backend.autolabel.models import Purpose
from backend.checkpoints.selectors import live_checkpoint
from backend.datasets.models import Dataset
from backend.training.claims import HEARTBEAT_STALE_AFTER
from backend.training.models import UNFINISHED_DETECTORS, DetectorRun

#: For so long it is awaited that a worker begins with it; one that trains is awaited to its end.
DETECTOR_AWAITED = timedelta(hours=1)
_TO_COME = Q(created_at__gt=Now() - DETECTOR_AWAITED) | Q(heartbeat_at__gt=Now() - HEARTBEAT_STALE_AFTER)


def thresholds_choose(*, dataset: Dataset) -> None:
    """Unless a detector is on its way. For whatever model it is: at its end the live one's is asked for, or this again."""
    if DetectorRun.objects.filter(_TO_COME, dataset=dataset, state__in=UNFINISHED_DETECTORS).exists():
        return
    try:
        calibration_ensure(dataset=dataset)
    except NothingToCalibrateOn:
        pass  # it can be asked for when people have finished some


def thresholds_sweep() -> None:
    """Choose them where the detector does not come, for which no event tells. Once: what was cancelled stays so."""
    late = DetectorRun.objects.exclude(_TO_COME).filter(state__in=UNFINISHED_DETECTORS).select_related("dataset")
    for run in late:
        calibrations = run.dataset.autolabel_runs.filter(purpose=Purpose.CALIBRATE, created_at__gt=run.created_at)
        if not calibrations.filter(checkpoint=live_checkpoint(run.dataset_id)).exists():
            thresholds_choose(dataset=run.dataset)
