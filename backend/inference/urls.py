from django.urls import path

from backend.inference.api import EmbeddingView

urlpatterns = [path("images/<uuid:image_id>/embedding/<str:encoder_hash>/", EmbeddingView.as_view())]
