"""From text to numbers: features of a prompt, marks of a draft, verdicts on two answers. Pure; shared by gateway and lab.

Its modules import numpy; whoever serves calls imports them only when a policy needs them.
"""
