"""Devices and threads, limits on time and memory, and policies and judges written by others."""
