from django.urls import path

from backend.checkpoints.api import CheckpointsView, DecoderView, DeploymentsView, RollbackView, WeightsView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/checkpoints/", CheckpointsView.as_view()),
    path("datasets/<uuid:dataset_id>/deployments/", DeploymentsView.as_view()),
    path("datasets/<uuid:dataset_id>/rollback/", RollbackView.as_view()),
    path("checkpoints/<uuid:checkpoint_id>/decoder/", DecoderView.as_view()),
    path("checkpoints/<uuid:checkpoint_id>/weights/", WeightsView.as_view()),
]
