"""Rivals of the Memory Mosaic behind the same interface: transformers, an LSTM, and models of other libraries."""
