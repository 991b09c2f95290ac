"""The watch over everything but quality: what calls look like, what they cost, how long they take, how they end.

Read in this order: `streams` (what is watched) · `sketch` (calls of an hour, summed up) · `usual` (an hour or day held against
its like) · `standing` (the evidence of a stream from day to day) · `cause` (who moved) · `spend` (money out of line, this hour).
"""
