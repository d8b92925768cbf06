"""The file of a checkpoint, for whoever goes on with it elsewhere."""

from django.core.cache import cache
from django.db.models.functions import Now

from backend.checkpoints.services import EXPORTED_WITHIN, checkpoint_register, decoders_sweep, deployment_ensure
from backend.common.models import Event
from engine import api as engine


def test_members_get_the_file_that_the_engine_reads_and_strangers_learn_nothing(
    dataset, annotator, stranger, as_user, tmp_path
):
    live = deployment_ensure(dataset=dataset)
    reply = as_user(annotator).get(f"/api/checkpoints/{live.id}/weights/")
    assert reply.status_code == 200
    file = tmp_path / "weights.safetensors"
    file.write_bytes(reply.content)
    assert engine.describe_checkpoint(file).encoder_hash == live.encoder_hash
    type(live).objects.filter(id=live.id).update(dataset=dataset)
    assert as_user(stranger).get(f"/api/checkpoints/{live.id}/weights/").status_code == 404
    assert checkpoint_register(file=file, name="again").id == live.id


def test_a_decoder_whose_call_was_lost_is_asked_for_again_and_the_events_tell(
    live, calls, django_capture_on_commit_callbacks
):
    again = f"decoder.asked_again:{live.id}"
    cache.delete(again)
    for age, passed, asked in ((0.5, False, 0), (2, False, 1), (2, False, 1), (2, True, 2)):
        type(live).objects.update(created_at=Now() - age * EXPORTED_WITHIN)
        if passed:  # as if ten minutes had
            cache.delete(again)
        with django_capture_on_commit_callbacks(execute=True):
            decoders_sweep()
        assert [call.about for call in calls if call.task == "export_decoder"] == [str(live.id)] * asked
        assert Event.objects.filter(kind="decoder.asked_again", subject_id=live.id).count() == asked
