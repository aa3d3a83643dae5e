"""The first way in: records of `sms.sent`, in any shape that settings describe, become journal entries."""
