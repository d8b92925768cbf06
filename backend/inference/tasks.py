"""Work with the image encoder and the text encoder."""

from uuid import UUID

from celery import shared_task


@shared_task
def make_embedding(embedding_id: str) -> None:
    from backend.inference.services import embedding_make

    embedding_make(embedding_id=embedding_id)


@shared_task
def embed_ahead(dataset_id: str) -> None:
    from backend.inference.services import embeddings_request_next

    embeddings_request_next(dataset_id=UUID(dataset_id))


@shared_task
def sweep_embeddings() -> None:
    from backend.inference.services import embeddings_sweep

    embeddings_sweep()


@shared_task
def sweep_old_embeddings() -> None:
    from backend.inference.dropping import embeddings_drop

    embeddings_drop()


@shared_task
def make_text_token(token_id: str) -> None:
    from backend.inference.services import text_token_make

    text_token_make(token_id=token_id)


@shared_task
def sweep_text_tokens() -> None:
    from backend.inference.services import text_tokens_sweep

    text_tokens_sweep()


@shared_task(acks_late=False)  # who asked waits only now
def decode_prompt(request_id: str) -> None:
    from backend.inference.decoding import prompt_answer

    prompt_answer(request_id=request_id)
