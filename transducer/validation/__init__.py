"""The toolkit held against published experiments, number by number."""
