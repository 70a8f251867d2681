"""The portal's pages about merchants."""

from django.urls import path

from merchants.views import merchants

app_name = "merchants"
urlpatterns = [
    path("merchants", merchants.merchant_list, name="list"),
    path("merchants/new", merchants.merchant_new, name="new"),
    path("merchants/alerts/<uuid:alert_id>", merchants.review, name="review"),
    path("merchants/<str:client_id>", merchants.merchant_detail, name="detail"),
    path("merchants/<str:client_id>/secret", merchants.secret, name="secret"),
]
