"""Reads sent events from `sms.sent`, in any format that settings describe, and writes them to the journal."""
