"""The weights that come with the source, so that worse ones are not committed unnoticed."""

from engine.api import DEFAULT_CHECKPOINT
from engine.data.records import read_records
from engine.data.scenes import write_scenes
from engine.evaluation.clicks import evaluate_clicks
from engine.inference.predictor import Predictor
from engine.model.checkpoint import load_checkpoint

#: Version 6 reaches 0.751 and 0.820; processors round otherwise, by far less than what is between.
FLOOR, ORACLE_FLOOR = 0.74, 0.81


def test_one_click_on_drawn_scenes_gives_masks_as_good_as_they_were(tmp_path):
    write_scenes(tmp_path, count=8, side=256, seed=0)
    report = evaluate_clicks(Predictor(load_checkpoint(DEFAULT_CHECKPOINT)), read_records(tmp_path), clicks=1)
    assert report["objects"] == 97
    assert report["miou"]["1"] > FLOOR
    assert report["oracle"]["1"] > ORACLE_FLOOR
