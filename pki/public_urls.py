"""What anybody may fetch, as certificates point to it: authorities, revocation lists, OCSP."""

from django.urls import URLPattern, re_path

from pki import public, public_authorities

app_name = "pki-public"
# The first 64 bits of an authority's key identifier name it.
urlpatterns: list[URLPattern] = [
    re_path(r"^ocsp/(?P<key>[0-9a-f]{16})(?:/(?P<encoded>[\s\S]*))?$", public.ocsp, name="ocsp"),
    re_path(r"^ca/(?P<key>[0-9a-f]{16})\.cer$", public_authorities.certificate, name="ca"),
    re_path(r"^crl/(?P<key>[0-9a-f]{16})\.crl$", public.crl, name="crl"),
]
