"""What makes files of this repository from its code; run by make, never by the service."""
