import django.db.models.deletion
import django.db.models.functions.text
import portal.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0004_customer_list'),
        ('accounts', '__first__'),
        ('devices', '0002_device_life'),
    ]

    operations = [
        migrations.CreateModel(
            name='BlockedKey',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('fingerprint', models.CharField(max_length=64, unique=True)),
                ('reason', models.CharField(max_length=500)),
                ('blocked_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['-blocked_at'], name='blocked_key_newest')],
            },
        ),
        migrations.CreateModel(
            name='CertificateAuthority',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('role', models.CharField(choices=[('root', 'Root'), ('issuing', 'Issuing')], max_length=10)),
                ('name', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('ACTIVE', 'Active'), ('RETIRING', 'Revokes only'), ('ENDED', 'Ended')], default='ACTIVE', max_length=10)),
                ('keystore', models.CharField(choices=[('file', 'Encrypted file'), ('pkcs11', 'PKCS#11 token')], max_length=10)),
                ('key_name', models.CharField(max_length=128)),
                ('key_id', models.CharField(max_length=64)),
                ('serial', models.CharField(max_length=40)),
                ('der', models.BinaryField()),
                ('not_before', models.DateTimeField()),
                ('not_after', models.DateTimeField()),
                ('crl_number', models.PositiveBigIntegerField(default=0)),
                ('paused_at', models.DateTimeField(blank=True, null=True)),
                ('rotation_rate', models.PositiveIntegerField(default=600)),
                ('created_at', models.DateTimeField()),
                ('bank', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='authorities', to='accounts.bank')),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='pki.certificateauthority')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('role__in', ['root', 'issuing'])), name='ca_role_known'), models.CheckConstraint(condition=models.Q(('state__in', ['ACTIVE', 'RETIRING', 'ENDED'])), name='ca_state_known'), models.CheckConstraint(condition=models.Q(models.Q(('bank__isnull', True), ('parent__isnull', True), ('role', 'root')), models.Q(('bank__isnull', False), ('parent__isnull', False), ('role', 'issuing')), _connector='OR'), name='ca_issuing_has_bank_and_parent'), models.UniqueConstraint(condition=models.Q(('role', 'issuing'), ('state', 'ACTIVE')), fields=('bank',), name='ca_one_issues_for_a_bank'), models.UniqueConstraint(condition=models.Q(('role', 'root'), ('state', 'ACTIVE')), fields=('role',), name='ca_one_root_signs'), models.UniqueConstraint(fields=('key_id',), name='ca_key_unique')],
            },
        ),
        migrations.CreateModel(
            name='CertificatePolicy',
            fields=[
                ('bank', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='certificate_policy', serialize=False, to='accounts.bank')),
                ('organisation', models.CharField(max_length=64)),
                ('unit', models.CharField(blank=True, max_length=64)),
                ('country', models.CharField(max_length=2)),
                ('zone', models.CharField(blank=True, max_length=200)),
                ('profiles', models.JSONField(default=dict)),
                ('auto_sign', models.BooleanField(default=False)),
                ('sign_needs_two', models.BooleanField(default=False)),
                ('key_lifetime_days', models.PositiveIntegerField(default=1095)),
                ('overlap_days', models.PositiveIntegerField(default=14)),
                ('updated_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('overlap_days__gte', 1), ('overlap_days__lte', 90)), name='certificate_policy_overlap_sane')],
            },
        ),
        migrations.CreateModel(
            name='CertificateRequest',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('source', models.CharField(choices=[('device', "The device's own request"), ('server', 'Key made by the portal'), ('est', 'EST'), ('rotation', 'Rotation')], max_length=10)),
                ('profile', models.CharField(default='device', max_length=32)),
                ('state', models.CharField(choices=[('PENDING', 'Waiting to be signed'), ('READY', 'Allowed'), ('SIGNING', 'Being signed'), ('ISSUED', 'Issued'), ('REJECTED', 'Rejected'), ('EXPIRED', 'Expired')], default='PENDING', max_length=10)),
                ('der', models.BinaryField()),
                ('key_fingerprint', models.CharField(max_length=64)),
                ('key_algorithm', models.CharField(max_length=16)),
                ('key_sealed', models.TextField(blank=True)),
                ('bundle_taken_at', models.DateTimeField(blank=True, null=True)),
                ('asked', models.JSONField(default=dict)),
                ('terms', models.JSONField(default=dict)),
                ('maker_kind', models.CharField(max_length=10)),
                ('maker_id', models.CharField(max_length=64)),
                ('maker_label', models.CharField(max_length=200)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='certificate_requests', to='accounts.bank')),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='certificate_requests', to='devices.device')),
                ('maker_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['bank', '-created_at', '-id'], name='csr_by_bank'), models.Index(fields=['bank', 'state', '-created_at', '-id'], name='csr_by_state'), models.Index(fields=['device', '-created_at'], name='csr_by_device'), models.Index(fields=['key_fingerprint'], name='csr_by_key'), models.Index(condition=models.Q(('key_sealed', ''), _negated=True), fields=['created_at'], name='csr_keeping_key'), models.Index(condition=models.Q(('state', 'PENDING')), fields=['expires_at'], name='csr_lapsing'), models.Index(condition=models.Q(('state', 'READY')), fields=['decided_at'], name='csr_to_sign')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'READY', 'SIGNING', 'ISSUED', 'REJECTED', 'EXPIRED'])), name='csr_state_known'), models.CheckConstraint(condition=models.Q(('decided_by__isnull', True), ('maker_user__isnull', True), models.Q(('decided_by', models.F('maker_user')), _negated=True), _connector='OR'), name='csr_maker_is_not_signer'), models.UniqueConstraint(condition=models.Q(('state__in', ['PENDING', 'READY', 'SIGNING'])), fields=('device', 'key_fingerprint'), name='csr_one_open_per_key')],
            },
        ),
        migrations.CreateModel(
            name='Certificate',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('serial', models.CharField(max_length=40)),
                ('profile', models.CharField(max_length=32)),
                ('state', models.CharField(choices=[('SIGNING', 'Being signed'), ('ABORTED', 'Never issued'), ('ACTIVE', 'Valid'), ('OVERLAP', 'Valid until the new one is proved'), ('ON_HOLD', 'On hold'), ('REVOKED', 'Revoked'), ('EXPIRED', 'Expired')], default='SIGNING', max_length=10)),
                ('key_fingerprint', models.CharField(max_length=64)),
                ('key_algorithm', models.CharField(max_length=16)),
                ('key_since', models.DateTimeField()),
                ('der', models.BinaryField(null=True)),
                ('not_before', models.DateTimeField()),
                ('not_after', models.DateTimeField()),
                ('renew_at', models.DateTimeField(null=True)),
                ('overlap_until', models.DateTimeField(null=True)),
                ('proved_at', models.DateTimeField(null=True)),
                ('reserved_at', models.DateTimeField()),
                ('issued_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('revocation_reason', models.CharField(blank=True, choices=[('unspecified', 'Unspecified'), ('key-compromise', 'Key compromise'), ('affiliation-changed', 'Affiliation changed'), ('superseded', 'Superseded'), ('cessation-of-operation', 'Cessation of operation'), ('privilege-withdrawn', 'Privilege withdrawn'), ('certificate-hold', 'On hold')], max_length=24)),
                ('held_apart', models.BooleanField(default=False)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='certificates', to='accounts.bank')),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='certificates', to='devices.device')),
                ('replaces', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaced_by', to='pki.certificate')),
                ('authority', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='certificates', to='pki.certificateauthority')),
                ('request', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='certificates', to='pki.certificaterequest')),
            ],
            options={
                'indexes': [models.Index(fields=['bank', '-issued_at', '-id'], name='certificate_by_bank'), models.Index(fields=['bank', 'not_after', 'id'], name='certificate_by_expiry'), models.Index(fields=['bank', 'state', '-issued_at', '-id'], name='certificate_by_state'), models.Index(fields=['device', '-issued_at'], name='certificate_by_device'), models.Index(condition=models.Q(('state__in', ['REVOKED', 'ON_HOLD'])), fields=['authority', 'serial'], name='certificate_on_crl'), models.Index(condition=models.Q(('state', 'ACTIVE')), fields=['renew_at'], name='certificate_to_renew'), models.Index(condition=models.Q(('state', 'OVERLAP')), fields=['overlap_until'], name='certificate_overlap_over'), models.Index(condition=models.Q(('state', 'SIGNING')), fields=['reserved_at'], name='certificate_unsettled'), models.Index(models.F('bank'), django.db.models.functions.text.Right('serial', 8), name='certificate_by_serial_tail'), models.Index(condition=models.Q(('state__in', ('ACTIVE', 'OVERLAP'))), fields=['bank', 'not_after'], name='certificate_live_by_expiry'), models.Index(fields=['key_fingerprint'], name='certificate_by_key'), models.Index(condition=models.Q(('state__in', ['ACTIVE', 'OVERLAP', 'ON_HOLD'])), fields=['not_after'], name='certificate_running_out')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['SIGNING', 'ABORTED', 'ACTIVE', 'OVERLAP', 'ON_HOLD', 'REVOKED', 'EXPIRED'])), name='certificate_state_known'), models.UniqueConstraint(fields=('serial',), name='certificate_serial_unique'), models.UniqueConstraint(condition=models.Q(('state', 'ACTIVE')), fields=('device',), name='certificate_one_active'), models.UniqueConstraint(condition=models.Q(('state', 'OVERLAP')), fields=('device',), name='certificate_one_overlap'), models.CheckConstraint(condition=models.Q(models.Q(('der__isnull', True), ('issued_at__isnull', True), ('state__in', ['SIGNING', 'ABORTED'])), models.Q(models.Q(('state__in', ['SIGNING', 'ABORTED']), _negated=True), ('der__isnull', False), ('issued_at__isnull', False)), _connector='OR'), name='certificate_issued_is_whole'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['REVOKED', 'ON_HOLD']), _negated=True), models.Q(('revoked_at__isnull', False), models.Q(('revocation_reason', ''), _negated=True)), _connector='OR'), name='certificate_revoked_says_why'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'OVERLAP'), _negated=True), ('overlap_until__isnull', False), _connector='OR'), name='certificate_overlap_ends')],
            },
        ),
        migrations.CreateModel(
            name='CertifiedKey',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('fingerprint', models.CharField(max_length=64, unique=True)),
                ('first_seen_at', models.DateTimeField()),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='certified_keys', to='devices.device')),
            ],
        ),
        migrations.CreateModel(
            name='CrlChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('made_at', models.DateTimeField()),
                ('authority', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pki.certificateauthority')),
            ],
        ),
        migrations.CreateModel(
            name='OcspResponder',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('keystore', models.CharField(choices=[('file', 'Encrypted file'), ('pkcs11', 'PKCS#11 token')], max_length=10)),
                ('key_name', models.CharField(max_length=128)),
                ('serial', models.CharField(max_length=40)),
                ('der', models.BinaryField(null=True)),
                ('not_before', models.DateTimeField()),
                ('not_after', models.DateTimeField()),
                ('authority', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='responders', to='pki.certificateauthority')),
            ],
            options={
                'indexes': [models.Index(fields=['authority', '-not_before'], name='responder_newest')],
                'constraints': [models.UniqueConstraint(fields=('serial',), name='responder_serial_unique')],
            },
        ),
        migrations.CreateModel(
            name='PublishedCrl',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveBigIntegerField()),
                ('der', models.BinaryField()),
                ('entries', models.PositiveIntegerField()),
                ('this_update', models.DateTimeField()),
                ('next_update', models.DateTimeField()),
                ('authority', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='crls', to='pki.certificateauthority')),
            ],
            options={
                'indexes': [models.Index(fields=['authority', '-number'], name='crl_newest')],
                'constraints': [models.UniqueConstraint(fields=('authority', 'number'), name='crl_number_unique')],
            },
        ),
        migrations.CreateModel(
            name='RollOver',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('WAITING', 'In progress'), ('DONE', 'Done'), ('FAILED', 'Given up')], default='WAITING', max_length=10)),
                ('name', models.CharField(max_length=64)),
                ('key', models.CharField(max_length=16)),
                ('keystore', models.CharField(choices=[('file', 'Encrypted file'), ('pkcs11', 'PKCS#11 token')], max_length=10)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('last_reason', models.CharField(blank=True, max_length=200)),
                ('ordered_at', models.DateTimeField()),
                ('next_try_at', models.DateTimeField()),
                ('claim_until', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.bank')),
                ('new', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pki.certificateauthority')),
                ('old', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='roll_overs', to='pki.certificateauthority')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'WAITING')), fields=['next_try_at'], name='roll_over_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['WAITING', 'DONE', 'FAILED'])), name='roll_over_state_known'), models.CheckConstraint(condition=models.Q(models.Q(('new__isnull', False), ('state', 'DONE')), models.Q(models.Q(('state', 'DONE'), _negated=True), ('new__isnull', True)), _connector='OR'), name='roll_over_done_has_new'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('state', 'WAITING')), models.Q(models.Q(('state', 'WAITING'), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='roll_over_open_has_no_end'), models.UniqueConstraint(condition=models.Q(('state', 'FAILED'), _negated=True), fields=('old',), name='roll_over_once')],
            },
        ),
        migrations.CreateModel(
            name='Rotation',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('new_id_planned', models.UUIDField(default=portal.core.ids.new_id)),
                ('type', models.CharField(choices=[('AUTOMATIC', 'Automatic'), ('MANUAL', 'Manual')], max_length=10)),
                ('state', models.CharField(choices=[('PLANNED', 'Planned'), ('SIGNING', 'Being signed'), ('AWAITING_DEVICE', 'Waiting for the device'), ('OVERLAP', 'Both valid'), ('DONE', 'Done'), ('FAILED', 'Given up'), ('CANCELLED', 'Cancelled')], default='PLANNED', max_length=16)),
                ('by_device', models.BooleanField(default=False)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('last_reason', models.CharField(blank=True, max_length=200)),
                ('planned_at', models.DateTimeField()),
                ('next_try_at', models.DateTimeField()),
                ('claim_until', models.DateTimeField(blank=True, null=True)),
                ('due_at', models.DateTimeField()),
                ('renewed_at', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('authority', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rotations', to='pki.certificateauthority')),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rotations', to='accounts.bank')),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rotations', to='devices.device')),
                ('new', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pki.certificate')),
                ('old', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rotations', to='pki.certificate')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state__in', ['PLANNED', 'SIGNING'])), fields=['bank', 'due_at', 'next_try_at'], name='rotation_waiting'), models.Index(condition=models.Q(('state', 'AWAITING_DEVICE')), fields=['next_try_at'], name='rotation_to_remind'), models.Index(condition=models.Q(('state__in', ('PLANNED', 'SIGNING', 'AWAITING_DEVICE', 'OVERLAP'))), fields=['due_at'], name='rotation_late'), models.Index(fields=['bank', 'claim_until'], name='rotation_claimed'), models.Index(fields=['bank', 'renewed_at'], name='rotation_renewed'), models.Index(fields=['bank', '-planned_at', '-id'], name='rotation_by_bank'), models.Index(fields=['bank', 'state', '-planned_at', '-id'], name='rotation_by_state'), models.Index(fields=['old'], name='rotation_by_old'), models.Index(fields=['device', '-planned_at'], name='rotation_by_device')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['PLANNED', 'SIGNING', 'AWAITING_DEVICE', 'OVERLAP', 'DONE', 'FAILED', 'CANCELLED'])), name='rotation_state_known'), models.UniqueConstraint(condition=models.Q(('state__in', ('PLANNED', 'SIGNING', 'AWAITING_DEVICE', 'OVERLAP'))), fields=('device',), name='rotation_one_open')],
            },
        ),
        migrations.CreateModel(
            name='RotationAttempt',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('outcome', models.CharField(choices=[('issued', 'New certificate issued'), ('failed', 'Try failed'), ('lost', 'Worker stopped'), ('asked', 'New key asked of the device'), ('reminded', 'New key asked again'), ('proved', 'Device proved the new certificate'), ('ended', 'Overlap ended'), ('given-up', 'Given up'), ('cancelled', 'Cancelled')], max_length=16)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('next_try_at', models.DateTimeField(blank=True, null=True)),
                ('rotation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tries', to='pki.rotation')),
            ],
        ),
        migrations.CreateModel(
            name='OcspAnswer',
            fields=[
                ('certificate', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='ocsp_answer', serialize=False, to='pki.certificate')),
                ('der', models.BinaryField()),
                ('this_update', models.DateTimeField()),
                ('next_update', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['next_update'], name='ocsp_answer_to_refresh')],
            },
        ),
    ]
