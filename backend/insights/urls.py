from django.urls import path

from backend.insights.api import MyWorkView
from backend.insights.figures_api import FiguresTableView, FiguresView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/figures/", FiguresView.as_view()),
    path("datasets/<uuid:dataset_id>/figures/<str:table>.csv", FiguresTableView.as_view()),
    path("me/work/", MyWorkView.as_view()),
]
