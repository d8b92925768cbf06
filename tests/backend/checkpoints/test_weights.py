"""The file of a checkpoint, for whoever goes on with it elsewhere."""

from backend.checkpoints.services import checkpoint_register, deployment_ensure
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
