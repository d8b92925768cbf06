"""Work with the image encoder."""

from celery import shared_task


@shared_task
def make_embedding(embedding_id: str) -> None:
    from backend.inference.services import embedding_make

    embedding_make(embedding_id=embedding_id)


@shared_task
def sweep_embeddings() -> None:
    from backend.inference.services import embeddings_sweep

    embeddings_sweep()
