import django.db.models.deletion
import portal.core.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('bank_id', models.UUIDField()),
                ('kind', models.CharField(choices=[('email', 'Email'), ('sms', 'Sms')], max_length=10)),
                ('template', models.CharField(max_length=64)),
                ('recipient_sealed', models.TextField()),
                ('recipient_hint', models.CharField(max_length=16)),
                ('subject', models.CharField(blank=True, max_length=200)),
                ('body_sealed', models.TextField(blank=True)),
                ('about_type', models.CharField(blank=True, max_length=32)),
                ('about_id', models.CharField(blank=True, max_length=64)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('sending', 'Sending'), ('sent', 'Sent'), ('failed', 'Failed')], default='pending', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_try_at', models.DateTimeField()),
                ('claim_until', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state__in', ['pending', 'sending'])), fields=['next_try_at'], name='message_waiting'), models.Index(condition=models.Q(('state', 'failed')), fields=['next_try_at'], name='message_failed'), models.Index(fields=['bank_id', '-id'], name='message_by_bank')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'sending', 'sent', 'failed'])), name='message_state_known'), models.CheckConstraint(condition=models.Q(('kind__in', ['email', 'sms'])), name='message_kind_known'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'sent'), _negated=True), models.Q(('body_sealed', ''), ('sent_at__isnull', False)), _connector='OR'), name='message_sent_is_wiped')],
            },
        ),
        migrations.CreateModel(
            name='SinkDelivery',
            fields=[
                ('message', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='sink', serialize=False, to='outbox.message')),
                ('text_sealed', models.TextField()),
                ('delivered_at', models.DateTimeField()),
            ],
        ),
    ]
