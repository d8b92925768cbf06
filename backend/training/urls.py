from django.urls import path

from backend.training.api import (
    DetectorCancelView,
    DetectorLogView,
    DetectorRunsView,
    GateRuleView,
    PolicyView,
    TrainingCancelView,
    TrainingLogView,
    TrainingRunsView,
    TrainingRunView,
)
from backend.training.compare_api import CompareView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/compare/", CompareView.as_view()),
    path("datasets/<uuid:dataset_id>/training-runs/", TrainingRunsView.as_view()),
    path("datasets/<uuid:dataset_id>/retrain-policy/", PolicyView.as_view()),
    path("datasets/<uuid:dataset_id>/gate-rule/", GateRuleView.as_view()),
    path("training-runs/<uuid:run_id>/", TrainingRunView.as_view()),
    path("training-runs/<uuid:run_id>/cancel/", TrainingCancelView.as_view()),
    path("training-runs/<uuid:run_id>/log/", TrainingLogView.as_view()),
    path("datasets/<uuid:dataset_id>/detector-runs/", DetectorRunsView.as_view()),
    path("detector-runs/<uuid:run_id>/cancel/", DetectorCancelView.as_view()),
    path("detector-runs/<uuid:run_id>/log/", DetectorLogView.as_view()),
]
