from django.urls import path

from backend.insights.api import FiguresView, MyWorkView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/figures/", FiguresView.as_view()),
    path("me/work/", MyWorkView.as_view()),
]
