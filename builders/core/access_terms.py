"""What a hub asks of whoever wants to see biometric data: the card's `extra_gated_*` keys."""

from typing import Any

from .croissant import card_sections, paragraphs

FORGED = "Nobody in this dataset exists: it was built from a release that facevox forged. Of the real one holds:"
ASKED = {
    "Name": "text",
    "Affiliation": "text",
    "Country": "country",
    "Purpose": "text",
    "I have read the sections Licence and consent, Intended use and Bias of the card": "checkbox",
    "I will use the data within the intended use only, and try to identify nobody": "checkbox",
    "I will pass on no copy, and remove a person's data when told to": "checkbox",
}


def access_terms(card: str, forged: bool) -> dict[str, Any]:
    """Prompt and fields, the prompt in the card's own words about people, use and limits."""
    use = paragraphs(card_sections(card).get("Intended use", ""))
    limits = [text for text in use if "out of scope" in text.lower() or "biometric" in text.lower()]
    prompt = "\n\n".join([*([FORGED] if forged else []), "This dataset holds faces and voices of people.", *limits])
    return {
        "extra_gated_heading": "Access is granted to people who state who they are and what for",
        "extra_gated_prompt": prompt,
        "extra_gated_fields": ASKED,
        "extra_gated_button_content": "I agree and ask for access",
    }
