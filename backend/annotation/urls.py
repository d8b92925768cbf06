from django.urls import path

from backend.annotation import api, gallery_api, imports_api

urlpatterns = [
    path("datasets/", api.DatasetsView.as_view()),
    path("datasets/<uuid:dataset_id>/", api.DatasetView.as_view()),
    path("datasets/<uuid:dataset_id>/brief/", api.DatasetBriefView.as_view()),
    path("datasets/<uuid:dataset_id>/images/", gallery_api.ImagesView.as_view()),
    path("datasets/<uuid:dataset_id>/skips/", gallery_api.SkipsView.as_view()),
    path("datasets/<uuid:dataset_id>/assignments/", api.NextAssignmentView.as_view()),
    path("datasets/<uuid:dataset_id>/masks/", imports_api.MaskImportView.as_view()),
    path("images/<uuid:image_id>/overlay/", gallery_api.OverlayView.as_view()),
    path("images/<uuid:image_id>/masks/", api.ImageMasksView.as_view()),
    path("images/<uuid:image_id>/open/", api.ReopenView.as_view()),
    path("assignments/leave/", api.LeaveView.as_view()),
    path("assignments/<uuid:assignment_id>/", api.AssignmentView.as_view()),
    path("assignments/<uuid:assignment_id>/take/", api.TakeView.as_view()),
    path("assignments/<uuid:assignment_id>/decode/", api.DecodeView.as_view()),
    path("assignments/<uuid:assignment_id>/renew/", api.RenewView.as_view()),
    path("assignments/<uuid:assignment_id>/submit/", api.SubmitView.as_view()),
    path("assignments/<uuid:assignment_id>/skip/", api.SkipView.as_view()),
    path("assignments/<uuid:assignment_id>/release/", api.ReleaseView.as_view()),
    path("masks/<uuid:mask_id>/", api.MaskView.as_view()),
]
