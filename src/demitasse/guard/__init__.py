"""What is in a text that should be known before it goes anywhere: private data, secrets, hidden characters, orders to the model.

Pure: text in, findings out; no I/O, no clock, no policy. What is done about a finding is decided in ``gateway/guarding``.
Offsets are code points of the text as it was given, also where it was normalised before it was looked at.

Read in this order: finding (the nouns) · scan (one text through all detectors) · then a detector.
"""
