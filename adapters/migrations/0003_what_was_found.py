"""Files and the posts in them become two tables, and a text knows what of it is no prose."""

import django.db.models.deletion
from django.db import migrations, models


def move_waiting_files(apps, schema_editor):
    ImportItem, ImportFile = apps.get_model("adapters", "ImportItem"), apps.get_model("adapters", "ImportFile")
    for item in ImportItem.objects.filter(state="waiting"):
        ImportFile.objects.create(job_id=item.job_id, name=item.external_id, file=item.upload, attempts=item.attempts)
        item.delete()


class Migration(migrations.Migration):
    dependencies = [("adapters", "0002_jobs_in_turn")]

    operations = [
        migrations.AddField("voice", "kept_rules", models.JSONField(blank=True, default=list, help_text="Cleaning rules that its author has overruled.")),
        migrations.AddField("importjob", "authors", models.JSONField(blank=True, default=list, help_text="Whose posts are taken; empty until all are read.")),
        migrations.CreateModel(
            name="ImportFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=300)),
                ("file", models.FileField(blank=True, upload_to="imports/%Y/%m/")),
                ("address", models.CharField(blank=True, help_text="Of a feed or a page.", max_length=500)),
                ("size", models.PositiveBigIntegerField(default=0, help_text="Bytes.")),
                ("source", models.CharField(blank=True, help_text="The format that was found.", max_length=20)),
                ("attempts", models.PositiveSmallIntegerField(default=0, help_text="How often reading it was begun.")),
                ("done", models.BooleanField(default=False)),
                ("job", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="files", to="adapters.importjob")),
            ],
            options={"ordering": ["pk"]},
        ),
        migrations.RenameField("importitem", "name", "external_id"),
        migrations.RenameField("importitem", "file", "upload"),
        migrations.RunPython(move_waiting_files, migrations.RunPython.noop),
        migrations.RemoveField("importitem", "upload"),
        migrations.RemoveField("importitem", "attempts"),
    ]
