from django.contrib import admin

from backend.inference.models import Embedding, EmbeddingBacklog, TextToken


@admin.register(Embedding)
class EmbeddingAdmin(admin.ModelAdmin):
    list_display = ["image", "state", "seconds", "attempts", "error"]
    list_filter = ["state"]


@admin.register(EmbeddingBacklog)
class EmbeddingBacklogAdmin(admin.ModelAdmin):
    list_display = ["dataset", "asked_at"]


@admin.register(TextToken)
class TextTokenAdmin(admin.ModelAdmin):
    list_display = ["words", "state", "error", "created_at"]
    list_filter = ["state"]
