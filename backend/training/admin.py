from django.contrib import admin

from backend.training.models import RetrainPolicy, TrainingRun


@admin.register(TrainingRun)
class TrainingRunAdmin(admin.ModelAdmin):
    list_display = ["dataset", "recipe", "state", "decision", "created_at"]


@admin.register(RetrainPolicy)
class RetrainPolicyAdmin(admin.ModelAdmin):
    list_display = ["dataset", "enabled", "after_new_masks", "crontab"]
