from django.urls import path

from backend.autolabel.api import AutolabelCancelView, AutolabelRetryView, AutolabelRunsView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/autolabel-runs/", AutolabelRunsView.as_view()),
    path("autolabel-runs/<uuid:run_id>/cancel/", AutolabelCancelView.as_view()),
    path("autolabel-runs/<uuid:run_id>/retry/", AutolabelRetryView.as_view()),
]
