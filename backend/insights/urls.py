from django.urls import path

from backend.insights.api import FiguresView

urlpatterns = [path("datasets/<uuid:dataset_id>/figures/", FiguresView.as_view())]
