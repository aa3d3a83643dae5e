"""Receives the providers' callbacks, writes them to the journal, and answers 200 once Kafka has acknowledged them."""
