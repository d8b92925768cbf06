from django.contrib import admin

from backend.releases.models import FrozenSet, Release


@admin.register(Release)
class ReleaseAdmin(admin.ModelAdmin):
    list_display = ["dataset", "number", "format", "state", "created_at"]


@admin.register(FrozenSet)
class FrozenSetAdmin(admin.ModelAdmin):
    list_display = ["dataset", "purpose", "mask_count", "created_at"]
