"""The second way in: providers' callbacks become journal entries, and are answered 200 once Kafka has them."""
