import django.db.models.deletion
import portal.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0005_two_factor'),
        ('devices', '0005_next_indexes_unique'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LinkTotal',
            fields=[
                ('bank', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='link_total', serialize=False, to='accounts.bank')),
                ('total', models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Merchant',
            fields=[
                ('application', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='merchant', serialize=False, to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('budget', models.PositiveIntegerField(default=100)),
                ('budget_now', models.PositiveIntegerField(default=100)),
                ('plain_ids', models.BooleanField(default=False)),
                ('made_at', models.DateTimeField()),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='merchants', to='accounts.bank')),
            ],
        ),
        migrations.CreateModel(
            name='LookupHour',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('misses', models.PositiveIntegerField(default=0)),
                ('refused', models.PositiveIntegerField(default=0)),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='hours', to='merchants.merchant')),
            ],
        ),
        migrations.CreateModel(
            name='MerchantAlert',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('budget', 'Missed too often'), ('miss-ratio', 'Missed more than it found'), ('sequence', 'Tried ids one after the other')], max_length=16)),
                ('hour', models.DateTimeField()),
                ('raised_at', models.DateTimeField()),
                ('figures', models.JSONField(default=dict)),
                ('reviewed_by', models.CharField(blank=True, max_length=200)),
                ('reviewed_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.bank')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='merchants.merchant')),
            ],
        ),
        migrations.CreateModel(
            name='Phrase',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('text_sealed', models.TextField()),
                ('text_index', models.CharField(max_length=64)),
                ('text_index_next', models.CharField(max_length=64)),
                ('made_at', models.DateTimeField()),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='phrases', to='accounts.bank')),
                ('customer', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='phrase', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Link',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('device_id_sealed', models.TextField(blank=True)),
                ('number_key', models.CharField(max_length=512)),
                ('linked_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('end_reason', models.CharField(blank=True, choices=[('cut', 'Cut by the bank'), ('lost', 'The device was reported lost'), ('retired', 'The device was unregistered'), ('moved', 'The device changed hands')], max_length=10)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='links', to='accounts.bank')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='links', to=settings.AUTH_USER_MODEL)),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='links', to='devices.device')),
                ('phrase', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='links', to='merchants.phrase')),
            ],
        ),
        migrations.CreateModel(
            name='Sighting',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('bank', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.bank')),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='sightings', to=settings.AUTH_USER_MODEL)),
                ('link', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sightings', to='merchants.link')),
                ('merchant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='sightings', to='merchants.merchant')),
            ],
        ),
        migrations.CreateModel(
            name='LinkSpan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('order', models.CharField(choices=[('time', 'Time'), ('customer', 'Customer'), ('device', 'Device')], max_length=10)),
                ('first_key', models.CharField(blank=True, max_length=512)),
                ('first_id', models.UUIDField()),
                ('count', models.PositiveIntegerField(default=0)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.bank')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('order__in', ['time', 'customer', 'device'])), name='link_span_order_known'), models.UniqueConstraint(fields=('bank', 'order', 'first_key', 'first_id'), name='link_span_once')],
            },
        ),
        migrations.AddConstraint(
            model_name='merchant',
            constraint=models.CheckConstraint(condition=models.Q(('budget__gte', 1), ('budget__lte', 100000), ('budget_now__gte', 1), ('budget_now__lte', models.F('budget'))), name='merchant_budget_bounded'),
        ),
        migrations.AddIndex(
            model_name='lookuphour',
            index=models.Index(fields=['hour'], name='lookup_hour_by_time'),
        ),
        migrations.AddConstraint(
            model_name='lookuphour',
            constraint=models.UniqueConstraint(fields=('merchant', 'hour'), name='lookup_hour_once'),
        ),
        migrations.AddIndex(
            model_name='merchantalert',
            index=models.Index(fields=['bank', '-raised_at', '-id'], name='merchant_alert_by_bank'),
        ),
        migrations.AddConstraint(
            model_name='merchantalert',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['budget', 'miss-ratio', 'sequence'])), name='merchant_alert_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='merchantalert',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reviewed_at', None), ('reviewed_by', '')), models.Q(('reviewed_at__isnull', False), models.Q(('reviewed_by', ''), _negated=True)), _connector='OR'), name='merchant_alert_review_whole'),
        ),
        migrations.AddConstraint(
            model_name='merchantalert',
            constraint=models.UniqueConstraint(fields=('merchant', 'kind', 'hour'), name='merchant_alert_once'),
        ),
        migrations.AddConstraint(
            model_name='phrase',
            constraint=models.UniqueConstraint(fields=('bank', 'text_index'), name='phrase_unique_in_bank'),
        ),
        migrations.AddConstraint(
            model_name='phrase',
            constraint=models.UniqueConstraint(fields=('bank', 'text_index_next'), name='phrase_next_unique_in_bank'),
        ),
        migrations.AddIndex(
            model_name='link',
            index=models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['bank', 'linked_at', 'id'], name='link_by_time'),
        ),
        migrations.AddIndex(
            model_name='link',
            index=models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['bank', 'number_key', 'id'], name='link_by_customer'),
        ),
        migrations.AddIndex(
            model_name='link',
            index=models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['bank', 'device', 'id'], name='link_by_device'),
        ),
        migrations.AddIndex(
            model_name='link',
            index=models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['ended_at'], name='link_ended'),
        ),
        migrations.AddConstraint(
            model_name='link',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('end_reason', ''), ('ended_at__isnull', True), ('phrase__isnull', False), models.Q(('device_id_sealed', ''), _negated=True)), models.Q(('device_id_sealed', ''), ('end_reason__in', ['cut', 'lost', 'retired', 'moved']), ('ended_at__isnull', False), ('phrase__isnull', True)), _connector='OR'), name='link_open_or_ended'),
        ),
        migrations.AddConstraint(
            model_name='link',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('device',), name='link_device_linked_once'),
        ),
        migrations.AddIndex(
            model_name='sighting',
            index=models.Index(fields=['merchant', '-at', '-id'], name='sighting_by_merchant'),
        ),
        migrations.AddIndex(
            model_name='sighting',
            index=models.Index(fields=['customer', '-at', '-id'], name='sighting_by_customer'),
        ),
        migrations.AddIndex(
            model_name='sighting',
            index=models.Index(fields=['bank', '-at', '-id'], name='sighting_by_bank'),
        ),
    ]
