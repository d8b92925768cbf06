"""Lots that the server draws: who judges what a second time, and which questions are known ones."""

import os
import random

from django.conf import settings

LOTS = random.Random(settings.LOTS_SEED)
if settings.LOTS_SEED is None:
    os.register_at_fork(after_in_child=LOTS.seed)  # workers that one process begins would all draw the same
