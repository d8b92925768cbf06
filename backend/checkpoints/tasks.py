"""Work on weights that needs torch, so not in the web process."""

from celery import shared_task


@shared_task
def export_decoder(checkpoint_id: str) -> None:
    from backend.checkpoints.services import decoder_export

    decoder_export(checkpoint_id=checkpoint_id)


@shared_task
def sweep_decoders() -> None:
    from backend.checkpoints.services import decoders_sweep

    decoders_sweep()
