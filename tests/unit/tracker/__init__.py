"""Unit tests of tracker."""
