from django.contrib import admin

from backend.autolabel.models import AutolabelJob, AutolabelRun


@admin.register(AutolabelRun)
class AutolabelRunAdmin(admin.ModelAdmin):
    list_display = ["dataset", "state", "created_at", "finished_at"]


@admin.register(AutolabelJob)
class AutolabelJobAdmin(admin.ModelAdmin):
    list_display = ["run", "image", "state", "attempts", "error"]
    list_filter = ["state"]
