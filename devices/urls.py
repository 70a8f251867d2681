"""The portal's pages about devices."""

from django.urls import path

from devices.views import bulk, loss, pins, registry, transfers

app_name = "devices"
urlpatterns = [
    path("devices", registry.device_list, name="list"),
    path("devices/bulk", bulk.choose, name="bulk"),
    path("devices/bulk/take", bulk.take, name="bulk-take"),
    path("devices/bulk/<uuid:run_id>", bulk.result, name="bulk-result"),
    path("devices/<uuid:device_id>", registry.device_detail, name="detail"),
    path("devices/<uuid:device_id>/activate", registry.activate, name="activate"),
    path("devices/<uuid:device_id>/deactivate", registry.deactivate, name="deactivate"),
    path("devices/<uuid:device_id>/block", registry.block, name="block"),
    path("devices/<uuid:device_id>/report-lost", loss.report_lost, name="report-lost"),
    path("devices/<uuid:device_id>/undo-loss", loss.undo_loss, name="undo-loss"),
    path("devices/<uuid:device_id>/reset-pin", pins.reset_pin, name="reset-pin"),
    path("devices/<uuid:device_id>/transfer", transfers.start, name="transfer-start"),
    path("transfers", transfers.transfer_list, name="transfers"),
    path("transfers/<uuid:transfer_id>", transfers.transfer_detail, name="transfer"),
    path("transfers/<uuid:transfer_id>/decide", transfers.decide, name="transfer-decide"),
    path("transfers/<uuid:transfer_id>/cancel", transfers.cancel, name="transfer-cancel"),
]
