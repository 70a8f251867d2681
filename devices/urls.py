"""The portal's pages about devices."""

from django.urls import path

from devices.views import bulk, imports, issued, loss, pins, registry, transfers

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
    path("devices/<uuid:device_id>/deliver", issued.deliver, name="deliver"),
    path("devices/<uuid:device_id>/replace", issued.replace, name="replace"),
    path("issued", issued.issued_list, name="issued"),
    path("issued/new", issued.issue, name="issued-new"),
    path("issued/export.csv", issued.export, name="issued-export"),
    path("issued/imports", imports.import_list, name="issued-imports"),
    path("issued/imports/new", imports.upload, name="issued-import-new"),
    path("issued/imports/empty.csv", imports.empty, name="issued-import-empty"),
    path("issued/imports/<uuid:run_id>", imports.import_detail, name="issued-import"),
    path("issued/imports/<uuid:run_id>/start", imports.start, name="issued-import-start"),
    path("issued/imports/<uuid:run_id>/discard", imports.discard, name="issued-import-discard"),
    path("issued/imports/<uuid:run_id>/refused.csv", imports.refused, name="issued-import-refused"),
    path("transfers", transfers.transfer_list, name="transfers"),
    path("transfers/<uuid:transfer_id>", transfers.transfer_detail, name="transfer"),
    path("transfers/<uuid:transfer_id>/decide", transfers.decide, name="transfer-decide"),
    path("transfers/<uuid:transfer_id>/cancel", transfers.cancel, name="transfer-cancel"),
]
