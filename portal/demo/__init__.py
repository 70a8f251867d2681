"""Made-up banks, people and devices for the demo, and the file that tells how to use them."""

from portal.demo.ensure import DemoRefused, ensure_demo

__all__ = ["DemoRefused", "ensure_demo"]
