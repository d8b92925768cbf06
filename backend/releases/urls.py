from django.urls import path

from backend.releases.api import ReleaseFileView, ReleasesView, ReleaseView

urlpatterns = [
    path("datasets/<uuid:dataset_id>/releases/", ReleasesView.as_view()),
    path("releases/<uuid:release_id>/", ReleaseView.as_view()),
    path("releases/<uuid:release_id>/files/<str:name>", ReleaseFileView.as_view()),
]
