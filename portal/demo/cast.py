"""Who appears in the demo. Samples only: no real person, number or address."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Phone:
    external_id: str
    nickname: str
    manufacturer: str
    model: str
    operating_system: str
    app_version: str
    push: str = ""  # the service that reaches it; messages end in the demo's sink


@dataclass(frozen=True)
class Customer:
    number: str
    name: str
    phone: str
    email: str
    phones: tuple[Phone, Phone]  # the first gets a P-256 key, the second an Ed25519 key


@dataclass(frozen=True)
class Newcomer:
    """A customer without a device, who signs one up."""

    number: str
    name: str
    phone: str
    email: str


@dataclass(frozen=True)
class DemoBank:
    code: str
    name: str
    customers: tuple[Customer, ...]
    newcomer: Newcomer
    country: str
    merchants: tuple[str, ...] = ()


BANKS: Final = (
    DemoBank(
        code="harbour",
        name="Harbour Bank",
        country="NG",
        merchants=("Corner Books", "Northside Garage"),
        newcomer=Newcomer("HB-100777", "Ngozi Eze", "+12025550132", "ngozi.eze@customer.example"),
        customers=(
            Customer(
                number="MIGR00002",
                name="Adaeze Okafor",
                phone="+12025550143",
                email="adaeze.okafor@customer.example",
                phones=(
                    Phone("352099001761481", "Adaeze's iPhone", "Apple", "iPhone 15", "iOS 17.1", "2.1.0", "apns"),
                    Phone("352099001761499", "Adaeze's Pixel", "Google", "Pixel 9", "Android 16", "2.1.0"),
                ),
            ),
            Customer(
                number="HB-100417",
                name="Tunde Bello",
                phone="+12025550186",
                email="tunde.bello@customer.example",
                phones=(
                    Phone(
                        "358240051111110", "Tunde's work phone", "Samsung", "Galaxy S24", "Android 15", "2.0.4", "gcm"
                    ),
                    Phone(
                        "358240051111128", "Tunde's tablet phone", "Samsung", "Galaxy Z Fold6", "Android 15", "2.1.0"
                    ),
                ),
            ),
            Customer(
                number="HB-100538",
                name="Kim Min-ji",
                phone="+12025550121",
                email="kim.min-ji@customer.example",
                phones=(
                    Phone(
                        "app.7f1c2b9e-min-ji-1",
                        "Min-ji's Xperia",
                        "Sony",
                        "Xperia 1 VI",
                        "Android 15",
                        "2.1.0",
                        "gcm",
                    ),
                    Phone("app.7f1c2b9e-min-ji-2", "Min-ji's iPhone", "Apple", "iPhone 14", "iOS 18.2", "2.0.9"),
                ),
            ),
        ),
    ),
    DemoBank(
        code="fjord",
        name="Fjord Savings",
        country="NO",
        newcomer=Newcomer("FS-2277", "Liv Hansen", "+12025550169", "liv.hansen@customer.example"),
        customers=(
            Customer(
                number="FS-2201",
                name="Ola Nordmann",
                phone="+12025550177",
                email="ola.nordmann@customer.example",
                phones=(
                    Phone("356938035643809", "Ola's iPhone", "Apple", "iPhone 13", "iOS 17.6", "1.9.0", "apns"),
                    Phone("356938035643817", "Ola's Fairphone", "Fairphone", "Fairphone 5", "Android 15", "1.9.0"),
                ),
            ),
        ),
    ),
)

# One member of staff per role and bank: role → first names, one per bank.
STAFF: Final = {
    "support": ("Sam Rivers", "Sanne Dahl"),
    "operator": ("Bea Lund", "Birk Moen"),
    "approver": ("Avi Stone", "Astrid Vik"),
    "security-officer": ("Cleo Marsh", "Carl Berg"),
    "auditor": ("Uma Reed", "Ulrik Foss"),
    "administrator": ("Max Field", "Marte Lie"),
}
