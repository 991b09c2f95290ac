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


STARTS = [
    "", "The answer is ", "Answer: ", "**Answer:** ", "Final answer: ", "So the answer is ", "I choose ", "It must be ", "Therefore, ",
    "Sentiment: ", "The label is ", "Label: ", "This is ", "I would classify this as ", "Classification: ", "The text is ",
]  # fmt: skip
DRESS = ["L", "**L**", "L.", "'L'", '"L"', "`L`", "\\boxed{L}", "\\text{L}", "(L)", "[L]", "L!", "<L>"]
ENDS = ["", "\n", " because it says so.", "\n\nExplanation: it says so.", ", since others are not."]
DENIED = [
    "The answer is not 1.", "not 1", "It's not 1", "I don't think it is 1.", "Neither 1 nor 2.", "1 is wrong.", "Rule out 1.", "1 or 2",
    "It could be 1 or 2.", "Either 1 or 2", "I would eliminate 1 first.", "1 isn't right", "Both 1 and 2 are right.", "1/2", "1, or 2?",
    "The answer can't be 1", "It is between 1 and 2.", "The options are 1 and 2", "I cannot decide between 1 and 2",
    "I am not sure if it is 1.",
]  # fmt: skip
DECIDED = [
    "Not 1, but 2.", "1 is wrong, so the answer is 2.", "It is not 1. It must be 2.", "Rule out 1. That leaves 2.",
    "I thought 1, but the answer is 2.", "1 or 2? The answer is 2.", "Between 1 and 2, I choose 2.",
]  # fmt: skip


@pytest.mark.parametrize(
    "labels", [("positive", "negative"), ("card_arrival", "lost_or_stolen"), ("entailment", "not_entailment")]
)
def test_every_way_to_say_a_label_is_read_and_every_denial_and_hedge_is_none(labels):
    known = ClosedSet((*labels, "something else"))
    for start in STARTS:
        for dress in DRESS:
            for end in ENDS:
                for label in labels:
                    said = f"{start}{dress.replace('L', label)}{end}"
                    assert known.named(said) == label, said
    for dress in ("L", "**L**", "'L'", "`L`", "(L)"):
        one, two = (dress.replace("L", label) for label in labels)
        for said in DENIED if "not" not in labels[1] else ():
            assert known.named(said.replace("1", one).replace("2", two)) is None, said
        for said in DECIDED:
            assert known.named(said.replace("1", one).replace("2", two)) == labels[1], said
