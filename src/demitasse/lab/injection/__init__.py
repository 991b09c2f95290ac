"""How the injection detector of ``guard.injection`` is trained and measured. Nothing here is on the way of a call.

Read in this order: sources (texts) · templates (sentences of ours) · near (no text twice) · orders (documents) · fit (weights) ·
train (the file).
"""
