from django.urls import path

from backend.review.api import VerdictsView

urlpatterns = [path("masks/<uuid:mask_id>/verdicts/", VerdictsView.as_view())]
