"""The portal's pages about customers."""

from django.urls import path

from devices.views import customers

app_name = "customers"
urlpatterns = [
    path("customers", customers.customer_list, name="list"),
    path("customers/<uuid:customer_id>", customers.customer_detail, name="detail"),
]
