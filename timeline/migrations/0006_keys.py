from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("timeline", "0005_searches")]

    operations = [
        migrations.AddField("token", "team", models.CharField(blank=True, db_default="", max_length=100)),
        migrations.AddField(
            "token", "environment", models.CharField(blank=True, db_default="", max_length=100)
        ),
        migrations.AddField("token", "quota_items", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("token", "quota_burst", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("token", "quota_bytes", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("token", "last_used", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("node", "waiting", models.JSONField(null=True)),
    ]
