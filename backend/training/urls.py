from django.urls import path

from backend.training.api import GateRuleView, PolicyView, TrainingCancelView, TrainingRunsView, TrainingRunView
from backend.training.compare_api import CompareView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/compare/", CompareView.as_view()),
    path("datasets/<uuid:dataset_id>/training-runs/", TrainingRunsView.as_view()),
    path("datasets/<uuid:dataset_id>/retrain-policy/", PolicyView.as_view()),
    path("datasets/<uuid:dataset_id>/gate-rule/", GateRuleView.as_view()),
    path("training-runs/<uuid:run_id>/", TrainingRunView.as_view()),
    path("training-runs/<uuid:run_id>/cancel/", TrainingCancelView.as_view()),
]
