from django.urls import path

from backend.datasets.api import MembersView, MemberView, PixelsView, StageView, ThumbnailView, UploadView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/stage/", StageView.as_view()),
    path("datasets/<uuid:dataset_id>/members/", MembersView.as_view()),
    path("datasets/<uuid:dataset_id>/members/<uuid:user_id>/", MemberView.as_view()),
    path("datasets/<uuid:dataset_id>/upload/", UploadView.as_view()),
    path("images/<uuid:image_id>/pixels/", PixelsView.as_view()),
    path("images/<uuid:image_id>/thumbnail/", ThumbnailView.as_view()),
]
