"""Models that are brought in from elsewhere, and default weights that come with a newer source."""

import io
from pathlib import Path

import pytest
import torch
from django.core.management import call_command
from django.core.management.base import CommandError

from backend.checkpoints.models import Checkpoint
from backend.checkpoints.selectors import live_checkpoint
from backend.checkpoints.services import deployment_ensure
from backend.common.models import Event
from backend.common.storage import get_storage
from backend.datasets.services import dataset_create
from backend.inference.models import EmbeddingBacklog
from engine import api as engine
from engine.model.build import build_model
from engine.model.checkpoint import save_checkpoint

pytestmark = pytest.mark.django_db


def bring(*arguments: str | Path) -> str:
    out = io.StringIO()
    call_command("import_checkpoint", *map(str, arguments), stdout=out)
    return out.getvalue()


@pytest.fixture
def official(tmp_path):
    """A file as the published ones are: tensors without a word on what they are."""
    torch.manual_seed(8)
    file = tmp_path / "from elsewhere.pth"
    torch.save(build_model("maskloop_debug").state_dict(), file)
    return file


@pytest.fixture
def newer(tmp_path):
    torch.manual_seed(9)
    save_checkpoint(build_model("maskloop_debug"), tmp_path / "newer.safetensors", recipe="none")
    return tmp_path / "newer.safetensors"


def test_an_official_file_is_brought_in_as_one_of_ours_for_all_datasets(official, dataset):
    assert "from elsewhere (maskloop_debug) can be used by all datasets" in bring(official)
    brought = Checkpoint.objects.get(name="from elsewhere")
    assert brought.dataset is None
    with get_storage().local(brought.storage_key) as file:
        assert engine.describe_checkpoint(file).encoder_hash == engine.describe_checkpoint(official).encoder_hash
    bring(official, "--name", "again")
    assert not Checkpoint.objects.filter(name="again").exists(), "the same weights are the same model"


def test_a_fetched_model_is_brought_in_by_its_name_and_must_be_what_the_name_says(official, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKLOOP_CHECKPOINTS", str(tmp_path))
    with pytest.raises(CommandError, match="--fetch mobile_sam"):
        bring("mobile_sam")
    official.rename(tmp_path / "mobile_sam.pt")
    with pytest.raises(CommandError, match="a mobile_sam was asked for"):
        bring("mobile_sam")
    with pytest.raises(CommandError, match="neither as a file nor as a name"):
        bring("nothing")
    assert not Checkpoint.objects.filter(name="mobile_sam").exists()


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"weights": Path("here")}, tmp_path / "evil.pth")
    with pytest.raises(CommandError, match="nothing in it was run"):
        bring(tmp_path / "evil.pth")


def test_a_model_for_all_is_listed_and_deployed_by_the_admins_of_every_dataset(
    newer, dataset, admin, annotator, stranger, as_user
):
    bring(newer)
    brought = Checkpoint.objects.get(name="newer")
    theirs = dataset_create(creator=stranger, name="Their own")
    for user, own in ((admin, dataset), (stranger, theirs)):
        deployment_ensure(dataset=own)
        listed = [one["id"] for one in as_user(user).get(f"/api/datasets/{own.id}/checkpoints/").json()]
        assert str(brought.id) in listed
        deploy = as_user(user).post(f"/api/datasets/{own.id}/deployments/", {"checkpoint": brought.id}, format="json")
        assert deploy.status_code == 201
        assert live_checkpoint(own.id) == brought
    refused = as_user(annotator).post(
        f"/api/datasets/{dataset.id}/deployments/", {"checkpoint": brought.id}, format="json"
    )
    assert refused.status_code == 403


def test_a_model_for_one_dataset_is_nobody_elses_until_it_is_imported_for_all(newer, dataset, stranger, as_user):
    bring(newer, "--dataset", "Street")
    theirs = dataset_create(creator=stranger, name="Their own")
    url = f"/api/datasets/{theirs.id}/checkpoints/"
    assert "newer" not in [one["name"] for one in as_user(stranger).get(url).json()]
    with pytest.raises(CommandError, match="belongs to another dataset"):
        bring(newer, "--dataset", "Their own")
    bring(newer)
    assert "newer" in [one["name"] for one in as_user(stranger).get(url).json()]


def test_live_deploys_it_as_the_page_does(newer, dataset, photo, tmp_path, calls, django_capture_on_commit_callbacks):
    deployment_ensure(dataset=dataset)
    with django_capture_on_commit_callbacks(execute=True):
        assert "live in Street" in bring(newer, "--dataset", "Street", "--live")
    assert live_checkpoint(dataset.id).name == "newer"
    changed = Event.objects.filter(kind="deployment.changed", dataset_id=dataset.id).latest("created_at")
    assert changed.data["reason"] == "by hand"
    assert ("deliver_event", str(changed.id)) in [(call.task, call.about) for call in calls]
    from backend.inference.subscriptions import embed_again_for_another_encoder

    embed_again_for_another_encoder(changed)
    assert EmbeddingBacklog.objects.filter(dataset=dataset).exists()
    with pytest.raises(CommandError, match="needs --dataset"):
        bring(newer, "--live")


def test_after_an_upgrade_the_new_default_weights_stand_beside_the_old_ones(newer, dataset, monkeypatch):
    old = deployment_ensure(dataset=dataset)
    monkeypatch.setattr(engine, "DEFAULT_CHECKPOINT", newer)
    for _ in range(2):
        call_command("prepare")
    names = list(Checkpoint.objects.order_by("created_at").values_list("name", flat=True))
    assert len(names) == 2
    assert names[0] == "maskloop_tiny"
    assert names[1].startswith("maskloop_tiny ")
    assert live_checkpoint(dataset.id) == old, "nothing goes live by itself"
