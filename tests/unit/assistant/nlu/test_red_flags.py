"""The patterns of an emergency."""

import re

import pytest

from assistant.nlu.literals import needed_texts
from assistant.nlu.red_flags import RED_FLAGS_FILE, RedFlags, _plain
from clinic.profile import ROOT


@pytest.fixture(scope="module")
def red_flags() -> RedFlags:
    return RedFlags(RED_FLAGS_FILE)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("I can't put any weight on my leg", "cannot bear weight"),
        ("He CANNOT WALK since the match", "cannot bear weight"),
        ("i can’t stand on it", "cannot bear weight"),
        ("my knee looks deformed", "deformity"),
        ("my kneecap popped out", "kneecap out"),
        ("my kneecap isn't where it should be", "kneecap out"),
        ("I think I broke my kneecap", "broken bone"),
        ("I got hit by a car and my knee hurts", "bad accident"),
        ("heard a pop and it is swollen like a balloon", "pop and swelling"),
        ("my knee is locked", "locked"),
        ("my knee is red and hot and I have a fever", "infection"),
        ("it won't stop bleeding", "wound"),
        ("my foot is numb and cold", "no feeling or circulation"),
        ("I can't feel my leg", "no feeling or circulation"),
        ("my calf is swollen since the flight", "clot"),
        ("chest pain and a sore knee", "chest and breathing"),
        ("I lost control of my bladder", "bladder or bowel"),
        ("her face is drooping", "stroke"),
        ("my throat is swelling after the ibuprofen", "allergy or overdose"),
        ("I want to kill myself", "self-harm"),
        ("the pain is unbearable", "unbearable"),
        ("there is a gap above my kneecap", "torn"),
        ("should I call an ambulance", "emergency said outright"),
        ("EMERGENCY!!", "emergency said outright"),
        ("9-1-1", "emergency said outright"),
        ("my partner threatened to hurt me, I'm not safe at home", "violence"),
        ("my knee aches, and I have lost weight for no reason", "wasting"),
        ("night sweats and a painful knee", "wasting"),
        ("my shin feels broken", "broken bone"),
        ("our neighbor collapsed", "chest and breathing"),
        ("No sé qué hacer, quiero morir", "in Spanish"),
        ("mi hija no puede caminar", "in Spanish"),
        ("me caí y tengo la pierna hinchada", "in Spanish"),
        ("Tengo dolor en el pecho", "in Spanish"),
        ("pain in my chest that goes into the jaw", "chest and breathing"),
        ("tightness behind my breastbone when I cycle", "chest and breathing"),
        ("my stools have been black since I took naproxen", "chest and breathing"),
        ("tarry poo this morning", "chest and breathing"),
        ("woke with a swollen tongue after the new tablets", "allergy or overdose"),
        ("had 14 Tylenols since breakfast", "allergy or overdose"),
        ("they'd be better off with the life insurance", "self-harm"),
        ("I can't raise the front of my foot", "no feeling or circulation"),
        ("keep dragging my toes", "no feeling or circulation"),
        ("no feeling below the ankle", "no feeling or circulation"),
        ("my kneecap's at the side", "kneecap out"),
        ("knee is huge and I take warfarin", "pop and swelling"),
        ("got shot in the leg", "wound"),
        ("mi hija no apoya la pierna", "in Spanish"),
        ("my dad keeps saying his chest hurts", "chest and breathing"),
        ("stop telling me to rest, my chest hurts", "chest and breathing"),
        ("you keep telling me to rest and I can't breathe", "chest and breathing"),
        ("can't breathe lol help", "chest and breathing"),
        ("I can't breathe, it's not funny", "chest and breathing"),
        ("he had a heart attack at the gym", "chest and breathing"),
        ("I had a heart attack when I got home", "chest and breathing"),
        ("nearly fainted when I stood up", "chest and breathing"),
        ("I feel faint with the pain", "chest and breathing"),
        ("I can't walk more than two steps", "cannot bear weight"),
        ("heard a pop and it has never been so swollen", "pop and swelling"),
        ("my calf has never been so hot and swollen", "clot"),
        ("my kneecap dislocates when I turn", "kneecap out"),
        ("went like a gunshot and soon it was a melon", "pop and swelling"),
        ("whats good for a knee that swelled up massive after a pop", "pop and swelling"),
        ("I dislocated it at 11 last night", "kneecap out"),
        ("fell at christmas and I still can't put weight on it", "cannot bear weight"),
        ("years since it was this bad, can't put any weight on it", "cannot bear weight"),
        ("I'd rather die than face another day", "self-harm"),
        ("I would rather die than go on like this", "self-harm"),
        ("my husband keeps telling me to call 911", "emergency said outright"),
    ],
)
def test_each_sign_is_found(red_flags: RedFlags, text: str, sign: str) -> None:
    assert red_flags.find(text) == sign


@pytest.mark.parametrize(
    "text",
    [
        "what exercises help? also my foot is completely numb and cold",
        "Does ice help? I cannot put weight on my knee since yesterday",
        "no fever but my knee is locked and won't straighten",
        "It isn't swollen. I have chest pain though.",
        "not sure what this is, my calf is red and swollen",
    ],
)
def test_a_sign_beside_something_harmless_is_found(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text)


@pytest.mark.parametrize(
    "text",
    [
        "no fever, no chills, no numbness",
        "my knee is not locked and doesn't give way under me",
        "I don't have chest pain",
        "without any swelling of the calf",
        "it has never popped out",
        "no signs of a blood clot",
        "the doctor ruled out a blood clot",
        "it isn't hot or red and I have no fever",
    ],
)
def test_a_denied_sign_is_none(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "I dislocated my kneecap ten years ago",
        "I broke my leg as a kid",
        "I was hit by a car in 2009",
        "history of blood clots, now just a dull ache on stairs",
    ],
)
def test_what_was_long_ago_is_none(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "can runner's knee cause numbness in the foot",
        "is a locked knee a sign of runner's knee?",
        "could a blood clot feel like runner's knee",
    ],
)
def test_a_question_about_nobody_is_none(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "what causes runner's knee?",
        "my knee hurts when I run",
        "I can't walk down stairs without a bit of pain",
        "knee pain after sitting at the movies",
        "how do I book a visit",
        "popping and clicking when I squat",
        "",
    ],
)
def test_a_harmless_message_is_none(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "I tore my meniscus 3 years ago. Today I fell and can't put any weight on my leg",
        "the pain is at 10 and I can't walk at all",
        "around 9 at 10 pm I fell off a ladder and cannot stand",
        "I used to run every day and now I have chest pain and can't breathe",
        "my previous therapist was great. My calf is swollen and hot since my flight",
        "Is there a number to call, chest pain and short of breath right now",
    ],
)
def test_a_sign_of_today_beside_a_word_of_the_past_is_found(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text)


@pytest.mark.parametrize(
    "text",
    [
        "what's the point anymore",
        "I don't see any reason to keep living",
        "i dont see a reason to go on",
        "no one would even notice if I died",
        "nobody would miss me",
        "life feels pointless",
        "I have no hope and I want to die",
        "I wish I had never been born",
        "I can't go on like this",
        "I have a knife",
        "they would all be better off without me",
        "I'm tired of living",
        "I feel like dying",
        "what is the point of living",
    ],
)
def test_quiet_despair_is_seen(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text) == "self-harm"


@pytest.mark.parametrize(
    "text",
    [
        "what's the point of stretching",
        "there is no point in going on with running",
        "I'm not suicidal",
        "I would never kill myself",
        "it feels like a knife in my knee",
        "I have a knife-like pain under the kneecap",
        "I'm tired of living with knee pain",
        "I hurt myself playing soccer",
        "I'm dying to run again",
        "I'd rather die than stop running",
        "I passed out the flyers",
        "my wife kicked me in the knee",
        "do collapsed arches cause runner's knee",
        "my arches have collapsed",
        "I can't stand my job",
        "I can't bend my knee without pain",
        "the pain is unbearable on stairs",
        "a friend broke his leg, are clams ok for me",
        "my dad had a heart attack",
        "my grandma had a blood clot, could surgery cause that",
        "(949) 911-1234",
        "how do I know if it's an emergency",
        "will losing weight help my knee",
        "no tengo fiebre, me duele la rodilla",
        "no me duele el pecho",
        "hola, me duele la rodilla cuando corro, ¿qué puedo hacer?",
        "necesito ayuda con mi rodilla",
        "the bill gave me a heart attack",
        "can't breathe, that video is hilarious",
        "is there a lift, my dad can't get up the steps",
        "I can't walk more than a mile with it",
        "would a cortisone shot in the knee help",
        "it pops like a gunshot on stairs",
        "I feel faint around needles",
        "leg numb from the ice, fine now",
        "loud crack on the first squat, nothing swells",
        "I'd rather die than have an injection haha",
        "have you seen suicide squad",
        "stop telling me to call 911",
        "my patella was never dislocated",
        "my quads were shot after the race",
        "twenty years since I broke my ankle",
        "my right foot flops inward on the treadmill",
    ],
)
def test_everyday_words_are_no_emergency(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text) is None


@pytest.mark.parametrize("text", ["my grandma can't breathe", "a friend broke his leg, what should I do"])
def test_the_emergency_of_another_person_is_one(red_flags: RedFlags, text: str) -> None:
    assert red_flags.find(text)


@pytest.mark.parametrize("text", ["I don't have chest pain", "I used to have a numb foot years ago"])
def test_what_denies_a_sign_or_tells_of_long_ago_is_known(red_flags: RedFlags, text: str) -> None:
    assert red_flags.is_denied(text)


@pytest.mark.parametrize(
    "text",
    [
        "I have chest pain",
        "how is it treated",
        "my foot went numb today, as it used to",
        "I used to run marathons. My leg has gone all funny and I am scared",
    ],
)
def test_nothing_is_denied_where_no_sign_is_or_one_stands(red_flags: RedFlags, text: str) -> None:
    assert not red_flags.is_denied(text)


def test_a_pattern_that_is_left_out_would_have_found_nothing(red_flags: RedFlags) -> None:
    files = [*(ROOT / "data").rglob("*.yml"), *(ROOT / "tests" / "nlu").glob("*.yml")]
    lines = [_plain(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    left_out = found = 0
    for line in lines:
        likely = {pattern for _, pattern in red_flags._likely(line)}
        found += len(likely)
        for _, pattern in red_flags._patterns:
            if pattern not in likely:
                left_out += 1
                assert not pattern.search(line), (pattern.pattern, line)
    assert found < left_out / 10


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"\b(?:(?:my|the) (knee ?cap|patella)s? (popped|came) out)", {"knee", "patella"}),
        (r"(very )*swoll?en(?! up)", {"swol"}),
        (r"(bleeding|blood)?(?<!no )\d+", {""}),
        (r"(fever|hot (knee)?|fever and chills)", {"fever", "hot "}),
        ("hot (?i:fever)", {"hot "}),
        ("(?i:fever)", {""}),
    ],
)
def test_a_pattern_needs_what_no_match_is_without(pattern: str, texts: set[str]) -> None:
    assert needed_texts(re.compile(pattern)) == texts


def test_no_pattern_may_match_letters_that_it_does_not_name() -> None:
    with pytest.raises(ValueError, match="letters that it does not name"):
        needed_texts(re.compile("fever", re.IGNORECASE))
