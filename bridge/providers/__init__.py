"""The providers' dialects parse callbacks and answers into reports, and build the requests of polls. They do no I/O."""
