from django.urls import path

from backend.review import api, audit_api

urlpatterns = [
    path("datasets/<uuid:dataset_id>/review/", api.ReviewView.as_view()),
    path("datasets/<uuid:dataset_id>/review/rules/", api.ReviewRulesView.as_view()),
    path("datasets/<uuid:dataset_id>/review/people/", api.VerifiersView.as_view()),
    path("datasets/<uuid:dataset_id>/proposals/retry/", api.ProposalsRetryView.as_view()),
    path("datasets/<uuid:dataset_id>/questions/", api.QuestionsView.as_view()),
    path("datasets/<uuid:dataset_id>/questions/release/", api.QuestionsReleaseView.as_view()),
    path("datasets/<uuid:dataset_id>/audit/", audit_api.AuditView.as_view()),
    path("verdicts/<uuid:verdict_id>/", api.VerdictView.as_view()),
    path("masks/<uuid:mask_id>/verdicts/", api.VerdictsView.as_view()),
]
