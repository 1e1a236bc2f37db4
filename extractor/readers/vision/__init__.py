"""Reads receipts with a local vision model: loading, prompting, grammar, images, decoding and asking again, each in its room.

`reader.py` is the way in. Nothing here imports torch before a model is wanted, so that the command line stays quick without it.
"""
