"""Alerts for webhooks and commands."""
