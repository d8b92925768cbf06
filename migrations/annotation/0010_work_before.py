"""The work on what a mask replaced is kept with the mask, also of the masks there are."""

from django.conf import settings
from django.db import migrations, models

# From the first mask of each chain by people to its last. Only masks that replace another one are written.
WALK = """
WITH RECURSIVE chain (id, seconds_before, clicks_before, seconds, clicks) AS (
    SELECT mask.id, 0::double precision, 0, COALESCE(mask.seconds, 0), mask.clicks
    FROM annotation_mask AS mask
    LEFT JOIN annotation_mask AS replaced ON replaced.id = mask.replaces_id
    WHERE mask.origin IN ('assisted', 'brush', 'imported')
      AND (replaced.id IS NULL OR replaced.origin NOT IN ('assisted', 'brush', 'imported'))
      AND EXISTS (SELECT FROM annotation_mask AS later WHERE later.replaces_id = mask.id)
    UNION ALL
    SELECT
        mask.id,
        chain.seconds_before + chain.seconds,
        chain.clicks_before + chain.clicks,
        COALESCE(mask.seconds, 0),
        mask.clicks
    FROM chain JOIN annotation_mask AS mask ON mask.replaces_id = chain.id
    WHERE mask.origin IN ('assisted', 'brush', 'imported')
)
UPDATE annotation_mask AS mask
SET seconds_before = chain.seconds_before, clicks_before = chain.clicks_before
FROM chain
WHERE mask.id = chain.id AND (chain.seconds_before > 0 OR chain.clicks_before > 0)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0009_covering_indexes"),
        ("checkpoints", "0001_initial"),
        ("datasets", "0008_groups_dealt"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="mask",
            name="mask_by_people",
        ),
        migrations.AddField(
            model_name="mask",
            name="clicks_before",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="mask",
            name="seconds_before",
            field=models.FloatField(db_default=0.0, default=0.0),
        ),
        migrations.RunSQL(WALK, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="mask",
            index=models.Index(
                condition=models.Q(("origin__in", ("assisted", "brush", "imported")), ("state", "active")),
                fields=["created_at"],
                include=("image", "origin", "seconds", "clicks", "author", "seconds_before", "clicks_before"),
                name="mask_by_people",
            ),
        ),
    ]
