from django.contrib import admin

from backend.datasets.models import Dataset, Image, Membership


@admin.register(Dataset)
class DatasetAdmin(admin.ModelAdmin):
    list_display = ["name", "stage", "created_by", "created_at"]


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ["dataset", "user", "role"]


@admin.register(Image)
class ImageAdmin(admin.ModelAdmin):
    list_display = ["file_name", "dataset", "width", "height", "split"]
    list_filter = ["dataset", "split"]
    readonly_fields = ["content_hash", "original_key", "display_key", "thumbnail_key"]
