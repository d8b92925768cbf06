from django.urls import path

from backend.autolabel import api

urlpatterns = [
    path("datasets/<uuid:dataset_id>/autolabel-runs/", api.AutolabelRunsView.as_view()),
    path("datasets/<uuid:dataset_id>/autolabel-selection/", api.AutolabelSelectionView.as_view()),
    path("datasets/<uuid:dataset_id>/autolabel-previews/", api.AutolabelPreviewsView.as_view()),
    path("datasets/<uuid:dataset_id>/thresholds/", api.ThresholdsView.as_view()),
    path("autolabel-runs/<uuid:run_id>/preview/", api.AutolabelPreviewView.as_view()),
    path("autolabel-runs/<uuid:run_id>/pause/", api.AutolabelPauseView.as_view()),
    path("autolabel-runs/<uuid:run_id>/resume/", api.AutolabelResumeView.as_view()),
    path("autolabel-runs/<uuid:run_id>/cancel/", api.AutolabelCancelView.as_view()),
    path("autolabel-runs/<uuid:run_id>/retry/", api.AutolabelRetryView.as_view()),
]
