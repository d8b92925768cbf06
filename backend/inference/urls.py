from django.urls import path

from backend.inference.api import EmbeddingView, TextTokenView

urlpatterns = [
    path("images/<uuid:image_id>/embedding/<str:encoder_hash>/", EmbeddingView.as_view()),
    path("checkpoints/<uuid:checkpoint_id>/text/", TextTokenView.as_view()),
]
