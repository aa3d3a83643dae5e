"""End-to-end tests of tracker."""
