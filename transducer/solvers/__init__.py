"""Engines that answer the same questions about a device."""
