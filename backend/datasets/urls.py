from django.urls import path

from backend.datasets.api import MembersView, MemberView, PixelsView, StageView, ThumbnailView, UploadView
from backend.datasets.imports_api import (
    CancelS3ImportView,
    CheckView,
    KnownView,
    RetryS3ImportView,
    S3ImportsView,
    SourcesView,
)
from backend.datasets.invitations_api import AcceptView, InvitationsView, InvitationView, InvitedView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/stage/", StageView.as_view()),
    path("datasets/<uuid:dataset_id>/members/", MembersView.as_view()),
    path("datasets/<uuid:dataset_id>/members/<uuid:user_id>/", MemberView.as_view()),
    path("datasets/<uuid:dataset_id>/invitations/", InvitationsView.as_view()),
    path("invitations/<uuid:invitation_id>/", InvitationView.as_view()),
    path("invited/", InvitedView.as_view()),
    path("invited/accept/", AcceptView.as_view()),
    path("datasets/<uuid:dataset_id>/upload/", UploadView.as_view()),
    path("datasets/<uuid:dataset_id>/known/", KnownView.as_view()),
    path("datasets/<uuid:dataset_id>/s3-sources/", SourcesView.as_view()),
    path("datasets/<uuid:dataset_id>/s3-check/", CheckView.as_view()),
    path("datasets/<uuid:dataset_id>/s3-imports/", S3ImportsView.as_view()),
    path("s3-imports/<uuid:import_id>/cancel/", CancelS3ImportView.as_view()),
    path("s3-imports/<uuid:import_id>/retry/", RetryS3ImportView.as_view()),
    path("images/<uuid:image_id>/pixels/", PixelsView.as_view()),
    path("images/<uuid:image_id>/thumbnail/", ThumbnailView.as_view()),
]
