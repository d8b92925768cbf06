from django.contrib import admin

from backend.annotation.models import Assignment, Mask


@admin.register(Assignment)
class AssignmentAdmin(admin.ModelAdmin):
    list_display = ["image", "holder", "job", "state", "expires_at"]
    list_filter = ["state", "job"]


@admin.register(Mask)
class MaskAdmin(admin.ModelAdmin):
    list_display = ["id", "image", "origin", "state", "author", "area"]
    list_filter = ["origin", "state"]
    raw_id_fields = ["image", "assignment", "replaces"]
