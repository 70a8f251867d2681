"""The portal's pages about certificates."""

from django.urls import URLPattern, path

from pki.views import authorities, certificates, health, requests, revocation, rotations

app_name = "pki"
urlpatterns: list[URLPattern] = [
    path("certificates", certificates.certificate_list, name="certificates"),
    path("certificates/requests", requests.request_list, name="requests"),
    path("certificates/requests/<uuid:request_id>", requests.request_detail, name="request"),
    path("certificates/requests/<uuid:request_id>/decide", requests.decide, name="request-decide"),
    path("certificates/keys", certificates.key_list, name="keys"),
    path("certificates/policy", authorities.policy, name="policy"),
    path("certificates/authorities", authorities.authority_list, name="authorities"),
    path("certificates/authorities/<uuid:authority_id>", authorities.authority_detail, name="authority"),
    path("certificates/authorities/<uuid:authority_id>/chain", authorities.authority_chain, name="authority-chain"),
    path("certificates/authorities/<uuid:authority_id>/roll-over", authorities.roll_over, name="roll-over"),
    path("certificates/health", health.health, name="health"),
    path("certificates/authorities/<uuid:authority_id>/publish", health.publish, name="publish"),
    path("certificates/<uuid:certificate_id>/revoke", revocation.revoke, name="revoke"),
    path("certificates/<uuid:certificate_id>/hold", revocation.hold, name="hold"),
    path("certificates/<uuid:certificate_id>/release", revocation.release, name="release"),
    path("certificates/rotations", rotations.rotation_list, name="rotations"),
    path("certificates/rotations/<uuid:rotation_id>", rotations.rotation_detail, name="rotation"),
    path("certificates/rotations/rate/<uuid:authority_id>", rotations.rate, name="rotations-rate"),
    path(
        "certificates/rotations/pause/<uuid:authority_id>",
        rotations.switch,
        {"step": "pause"},
        name="rotations-pause",
    ),
    path(
        "certificates/rotations/resume/<uuid:authority_id>",
        rotations.switch,
        {"step": "resume"},
        name="rotations-resume",
    ),
    path("certificates/rotations/device/<uuid:device_id>", rotations.rotate, name="rotate"),
    path("certificates/<uuid:certificate_id>", certificates.certificate_detail, name="certificate"),
    path("certificates/<uuid:certificate_id>/lint", certificates.lint, name="certificate-lint"),
    path(
        "certificates/<uuid:certificate_id>/pem",
        certificates.certificate_file,
        {"form": "pem"},
        name="certificate-pem",
    ),
    path(
        "certificates/<uuid:certificate_id>/der",
        certificates.certificate_file,
        {"form": "der"},
        name="certificate-der",
    ),
    path(
        "certificates/<uuid:certificate_id>/chain",
        certificates.certificate_file,
        {"form": "chain"},
        name="certificate-chain",
    ),
]
