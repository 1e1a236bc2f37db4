"""Turns a reader's answer into values, checks them against each other, and decides whether they are accepted."""
