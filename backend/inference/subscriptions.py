"""What this app does when something happens elsewhere."""

from backend.checkpoints.services import deployment_ensure
from backend.common.events import subscribe
from backend.common.models import Event
from backend.datasets.models import Dataset, Image
from backend.inference.services import embedding_request, embeddings_called_in_vain, embeddings_request


@subscribe("image.imported")
def embed_ahead_of_need(event: Event) -> None:
    image = Image.objects.select_related("dataset").filter(id=event.subject_id).first()
    if image is not None:
        checkpoint = deployment_ensure(dataset=image.dataset)
        embedding_request(image=image, encoder_hash=checkpoint.encoder_hash, urgent=False)


@subscribe("queue.lost")
def ask_again(event: Event) -> None:
    embeddings_called_in_vain()


@subscribe("deployment.changed")
def embed_again_for_another_encoder(event: Event) -> None:
    """The usual retraining keeps the encoder: then nothing is missing, and nothing is done."""
    dataset = Dataset.objects.filter(id=event.dataset_id).first() if event.dataset_id else None
    if dataset is not None:
        embeddings_request(dataset=dataset)
