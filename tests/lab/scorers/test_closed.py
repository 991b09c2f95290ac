"""Which label an answer names."""

import pytest

from demitasse.lab.scorers.closed import ClosedSet

MOODS = ClosedSet(("positive", "negative", "neutral", "very positive", "card_arrival"))


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("Positive", "positive"), ("Very positive.", "very positive"), ("Sentiment: negative", "negative"),
        ("card arrival", "card_arrival"), ("Card Arrival!", "card_arrival"), ("`card_arrival`", "card_arrival"),
        ("negative, not positive", "negative"), ("neither positive nor negative, so neutral", "neutral"),
        ("Negative\n\nThe text is not positive, it's sad.", "negative"), ("The sentiment is **negative**.", "negative"),
        ("It mentions positive things. But overall it is negative.", "negative"),
        ("positive? negative? The answer is negative.", "negative"),
    ],
)  # fmt: skip
def test_the_label_is_read_however_it_is_said(said, label):
    assert MOODS.named(said) == label


@pytest.mark.parametrize(
    "said",
    [
        "not positive", "isn't positive", "It is not very positive", "I would say positive or negative", "positive/negative",
        "positively", "Positive.\nOr negative.", "happy", "", "positive negative neutral",
    ],
)  # fmt: skip
def test_a_label_that_is_denied_or_one_of_several_is_not_named(said):
    assert MOODS.named(said) is None


def test_labels_that_differ_only_in_dress_are_read_to_the_letter():
    both = ClosedSet(("top_up", "top-up"))
    assert both.named("top_up") == "top_up"
    assert both.named("top-up") == "top-up"
    assert both.named("top up") is None
