"""What the Rasa server counts for Prometheus: labels from fixed lists, no text, no ids."""

from prometheus_client import Counter, Histogram

from clinic.articles import Kind, the_library

MESSAGES = Counter("assistant_messages_total", "Messages taken.", ["channel"])
SECONDS = Histogram(
    "assistant_answer_seconds",
    "Time from a message to its answer.",
    ["channel"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 10),
)
TURNS = Counter("assistant_turns_total", "Turns of conversations; a message with two questions makes two.", ["channel"])
REFUSALS = Counter("assistant_refusals_total", "Turns that the article does not answer, by what was asked.", ["intent"])
FALLBACKS = Counter("assistant_fallbacks_total", "Turns in which no topic was sure enough.")
RED_FLAGS = Counter("assistant_red_flags_total", "Messages that tell of an emergency.")
APOLOGIES = Counter("assistant_apologies_total", "Messages answered with an apology, by what failed.", ["cause"])
SMS_SEGMENTS = Counter("assistant_sms_segments_total", "Segments of text messages handed over, which carriers charge.")
SEND_FAILURES = Counter("assistant_send_failures_total", "Answers that a platform did not take.", ["channel"])

REFUSED_KINDS: tuple[Kind, ...] = ("desk", "other_language", "outside", "refusal", "told")
CAUSES = ("no_model", "nothing_said", "other", "send", "store", "timeout")


def prepare() -> None:
    """Show every counter with fixed labels at 0 before the first event, so that a rise from nothing is seen."""
    for intent in the_library().intents_of(*REFUSED_KINDS):
        REFUSALS.labels(intent)
    for cause in CAUSES:
        APOLOGIES.labels(cause)
