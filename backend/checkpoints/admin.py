from django.contrib import admin

from backend.checkpoints.models import Checkpoint, Deployment


@admin.register(Checkpoint)
class CheckpointAdmin(admin.ModelAdmin):
    list_display = ["name", "architecture", "dataset", "created_at"]
    readonly_fields = ["file_hash", "encoder_hash", "decoder_hash", "storage_key", "decoder_key"]


@admin.register(Deployment)
class DeploymentAdmin(admin.ModelAdmin):
    list_display = ["dataset", "checkpoint", "role", "since", "until", "reason"]
