import django.db.models.deletion
import portal.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_spid_clients'),
        ('accounts', '__first__'),
        ('accounts', '__first__'),
        ('devices', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='BulkRun',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('step', models.CharField(choices=[('activate', 'Activate'), ('deactivate', 'Deactivate'), ('block', 'Block')], max_length=10)),
                ('outcomes', models.JSONField(default=list)),
                ('ended', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='DevicePin',
            fields=[
                ('device', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='pin', serialize=False, to='devices.device')),
                ('digest', models.CharField(max_length=200)),
                ('failures', models.PositiveSmallIntegerField(default=0)),
                ('locked_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField()),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('failures__lte', 5)), name='pin_failures_bounded'), models.CheckConstraint(condition=models.Q(('locked_at__isnull', True), ('failures', 5), _connector='OR'), name='pin_lock_needs_failures')],
            },
        ),
        migrations.CreateModel(
            name='Fingerprint',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('hash', models.CharField(max_length=64)),
                ('platform', models.CharField(choices=[('ios', 'iOS'), ('android', 'Android')], max_length=10)),
                ('application_name', models.CharField(max_length=100)),
                ('application_version', models.CharField(blank=True, max_length=64)),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='ImportRefusal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.PositiveIntegerField()),
                ('field', models.CharField(blank=True, max_length=40)),
                ('code', models.CharField(max_length=64)),
                ('message', models.CharField(max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name='ImportRun',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('file_name', models.CharField(max_length=120)),
                ('content_sealed', models.TextField(blank=True)),
                ('all_or_nothing', models.BooleanField(default=False)),
                ('state', models.CharField(choices=[('READY', 'Ready to start'), ('WAITING', 'Waiting'), ('RUNNING', 'Running'), ('DONE', 'Done'), ('REFUSED', 'Refused'), ('STOPPED', 'Stopped')], default='WAITING', max_length=10)),
                ('position', models.PositiveBigIntegerField(default=0)),
                ('rows_total', models.PositiveIntegerField(default=0)),
                ('rows_done', models.PositiveIntegerField(default=0)),
                ('rows_issued', models.PositiveIntegerField(default=0)),
                ('rows_unchanged', models.PositiveIntegerField(default=0)),
                ('rows_refused', models.PositiveIntegerField(default=0)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('claim_until', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='IssuedDetails',
            fields=[
                ('device', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='issued', serialize=False, to='devices.device')),
                ('reference', models.CharField(blank=True, max_length=64)),
                ('capabilities', models.JSONField(default=list)),
                ('delivered_on', models.DateField(blank=True, null=True)),
                ('expires_on', models.DateField(blank=True, null=True)),
                ('card_kind', models.CharField(blank=True, choices=[('debit-card', 'Debit card'), ('credit-card', 'Credit card'), ('prepaid-card', 'Prepaid card'), ('charge-card', 'Charge card'), ('stored-value-card', 'Stored-value card')], max_length=20)),
                ('card_brand', models.CharField(blank=True, max_length=40)),
                ('cardholder_name', models.CharField(blank=True, max_length=64)),
                ('number_start', models.CharField(blank=True, max_length=6)),
                ('number_end', models.CharField(blank=True, max_length=4)),
                ('is_primary', models.BooleanField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='PinReset',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('method', models.CharField(choices=[('SMS', 'SMS'), ('EMAIL', 'E-mail')], max_length=10)),
                ('sent', models.BooleanField()),
                ('code_digest', models.CharField(max_length=64)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('state', models.CharField(choices=[('OPEN', 'Open'), ('USED', 'Used'), ('VOID', 'Void'), ('EXPIRED', 'Expired')], default='OPEN', max_length=10)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Transfer',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('reason', models.CharField(max_length=500)),
                ('effective_at', models.DateTimeField(blank=True, null=True)),
                ('state', models.CharField(choices=[('PENDING_APPROVAL', 'Waiting for approval'), ('APPROVED', 'Waiting for the new owner'), ('ACCEPTED', 'Waiting for its date'), ('COMPLETED', 'Completed'), ('REJECTED', 'Rejected'), ('CANCELLED', 'Cancelled'), ('EXPIRED', 'Expired')], default='PENDING_APPROVAL', max_length=20)),
                ('code_digest', models.CharField(blank=True, max_length=64)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('requested_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('accepted_at', models.DateTimeField(blank=True, null=True)),
                ('completed_at', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('end_reason', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.AddField(
            model_name='device',
            name='held_before_loss',
            field=models.CharField(blank=True, choices=[('', 'Nobody'), ('owner', 'Owner'), ('bank', 'Bank')], default='', max_length=10),
        ),
        migrations.AddField(
            model_name='device',
            name='language',
            field=models.CharField(blank=True, max_length=35),
        ),
        migrations.AddField(
            model_name='device',
            name='lost_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='device',
            name='sdk_version',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddConstraint(
            model_name='device',
            constraint=models.CheckConstraint(condition=models.Q(('lost_at__isnull', True), models.Q(('held_by', 'bank'), ('status', 'BLOCKED')), ('status', 'RETIRED'), _connector='OR'), name='device_lost_is_blocked_by_bank'),
        ),
        migrations.AddConstraint(
            model_name='device',
            constraint=models.CheckConstraint(condition=models.Q(('held_before_loss', ''), models.Q(('held_before_loss__in', ['owner', 'bank']), ('lost_at__isnull', False)), _connector='OR'), name='device_held_before_loss_known'),
        ),
        migrations.AddField(
            model_name='bulkrun',
            name='bank',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='bulk_runs', to='accounts.bank'),
        ),
        migrations.AddField(
            model_name='bulkrun',
            name='started_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='fingerprint',
            name='bank',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='fingerprints', to='accounts.bank'),
        ),
        migrations.AddField(
            model_name='fingerprint',
            name='device',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='fingerprints', to='devices.device'),
        ),
        migrations.AddField(
            model_name='fingerprint',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='fingerprints', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='importrun',
            name='bank',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='import_runs', to='accounts.bank'),
        ),
        migrations.AddField(
            model_name='importrun',
            name='started_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='importrun',
            name='uploaded_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='importrefusal',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refusals', to='devices.importrun'),
        ),
        migrations.AddField(
            model_name='issueddetails',
            name='bank',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.bank'),
        ),
        migrations.AddField(
            model_name='issueddetails',
            name='replaces',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaced_by', to='devices.device'),
        ),
        migrations.AddField(
            model_name='pinreset',
            name='application',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL),
        ),
        migrations.AddField(
            model_name='pinreset',
            name='device',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pin_resets', to='devices.device'),
        ),
        migrations.AddField(
            model_name='pinreset',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pin_resets', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='pinreset',
            name='started_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='transfer',
            name='bank',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='transfers', to='accounts.bank'),
        ),
        migrations.AddField(
            model_name='transfer',
            name='decided_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='transfer',
            name='device',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='transfers', to='devices.device'),
        ),
        migrations.AddField(
            model_name='transfer',
            name='new_owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='transfers_in', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='transfer',
            name='old_owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='transfers_out', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='transfer',
            name='requested_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='bulkrun',
            constraint=models.CheckConstraint(condition=models.Q(('step__in', ['activate', 'deactivate', 'block'])), name='bulk_step_known'),
        ),
        migrations.AddIndex(
            model_name='fingerprint',
            index=models.Index(fields=['owner', '-last_seen_at'], name='fingerprint_by_owner'),
        ),
        migrations.AddIndex(
            model_name='fingerprint',
            index=models.Index(fields=['device'], name='fingerprint_by_device'),
        ),
        migrations.AddConstraint(
            model_name='fingerprint',
            constraint=models.CheckConstraint(condition=models.Q(('platform__in', ['ios', 'android'])), name='fingerprint_platform_known'),
        ),
        migrations.AddConstraint(
            model_name='fingerprint',
            constraint=models.UniqueConstraint(fields=('owner', 'hash'), name='fingerprint_once_per_owner'),
        ),
        migrations.AddIndex(
            model_name='importrun',
            index=models.Index(fields=['bank', '-created_at', '-id'], name='import_by_bank'),
        ),
        migrations.AddIndex(
            model_name='importrun',
            index=models.Index(condition=models.Q(('state__in', ('READY', 'WAITING', 'RUNNING'))), fields=['created_at'], name='import_waiting'),
        ),
        migrations.AddConstraint(
            model_name='importrun',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['READY', 'WAITING', 'RUNNING', 'DONE', 'REFUSED', 'STOPPED'])), name='import_state_known'),
        ),
        migrations.AddConstraint(
            model_name='importrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('state__in', ('READY', 'WAITING', 'RUNNING'))), models.Q(models.Q(('state__in', ('READY', 'WAITING', 'RUNNING')), _negated=True), ('content_sealed', ''), ('ended_at__isnull', False)), _connector='OR'), name='import_ended_is_wiped'),
        ),
        migrations.AddIndex(
            model_name='importrefusal',
            index=models.Index(fields=['run', 'line', 'id'], name='import_refusal_by_line'),
        ),
        migrations.AddConstraint(
            model_name='issueddetails',
            constraint=models.CheckConstraint(condition=models.Q(('card_kind', ''), ('card_kind__in', ['debit-card', 'credit-card', 'prepaid-card', 'charge-card', 'stored-value-card']), _connector='OR'), name='issued_card_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='issueddetails',
            constraint=models.CheckConstraint(condition=models.Q(('replaces__isnull', True), models.Q(('replaces', models.F('device')), _negated=True), _connector='OR'), name='issued_replaces_another'),
        ),
        migrations.AddConstraint(
            model_name='issueddetails',
            constraint=models.UniqueConstraint(condition=models.Q(('reference', ''), _negated=True), fields=('bank', 'reference'), name='issued_reference_unique'),
        ),
        migrations.AddIndex(
            model_name='pinreset',
            index=models.Index(fields=['device', '-created_at'], name='pin_reset_by_device'),
        ),
        migrations.AddConstraint(
            model_name='pinreset',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['OPEN', 'USED', 'VOID', 'EXPIRED'])), name='pin_reset_state_known'),
        ),
        migrations.AddConstraint(
            model_name='pinreset',
            constraint=models.CheckConstraint(condition=models.Q(('method__in', ['SMS', 'EMAIL'])), name='pin_reset_method_known'),
        ),
        migrations.AddConstraint(
            model_name='pinreset',
            constraint=models.CheckConstraint(condition=models.Q(('tries__lte', 5)), name='pin_reset_tries_bounded'),
        ),
        migrations.AddConstraint(
            model_name='pinreset',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('state', 'OPEN')), models.Q(models.Q(('state', 'OPEN'), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='pin_reset_closed_has_time'),
        ),
        migrations.AddConstraint(
            model_name='pinreset',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'OPEN')), fields=('device',), name='pin_reset_one_open'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(fields=['bank', '-requested_at', '-id'], name='transfer_by_bank'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(fields=['bank', 'state', '-requested_at', '-id'], name='transfer_by_state'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(fields=['device', '-requested_at'], name='transfer_by_device'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(fields=['old_owner', '-requested_at'], name='transfer_by_old_owner'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(fields=['new_owner', '-requested_at'], name='transfer_by_new_owner'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(condition=models.Q(('state', 'ACCEPTED')), fields=['effective_at'], name='transfer_due'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(condition=models.Q(('state__in', ['PENDING_APPROVAL', 'APPROVED'])), fields=['expires_at'], name='transfer_lapsing'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING_APPROVAL', 'APPROVED', 'ACCEPTED', 'COMPLETED', 'REJECTED', 'CANCELLED', 'EXPIRED'])), name='transfer_state_known'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('tries__lte', 5)), name='transfer_tries_bounded'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('old_owner', models.F('new_owner')), _negated=True), name='transfer_changes_hands'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by__isnull', True), ('requested_by__isnull', True), models.Q(('decided_by', models.F('requested_by')), _negated=True), _connector='OR'), name='transfer_maker_is_not_checker'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['APPROVED', 'ACCEPTED', 'COMPLETED']), _negated=True), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False)), _connector='OR'), name='transfer_goes_on_only_approved'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'COMPLETED'), _negated=True), models.Q(('accepted_at__isnull', False), ('completed_at__isnull', False)), _connector='OR'), name='transfer_completed_was_accepted'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('state__in', ('PENDING_APPROVAL', 'APPROVED', 'ACCEPTED'))), models.Q(models.Q(('state__in', ('PENDING_APPROVAL', 'APPROVED', 'ACCEPTED')), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='transfer_closed_has_time'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('PENDING_APPROVAL', 'APPROVED', 'ACCEPTED'))), fields=('device',), name='transfer_one_open'),
        ),
    ]
