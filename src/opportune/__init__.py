"""Opportune decides what to send to every customer, learns from it, and proves what it earned."""

__version__ = "0.1.0"
