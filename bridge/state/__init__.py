"""What is known of attempts, on disk: a RocksDB cache of the state topic that can be lost and restored at any time."""
