from bench.profiles.sections import is_attention, section_names


def test_sections_alternate_in_order_of_depth() -> None:
    """Each block gives its attention, then its MLP sublayer."""
    assert section_names(2) == ("attn 0", "mlp 0", "attn 1", "mlp 1")


def test_is_attention_agrees_with_the_names() -> None:
    """A section is attention exactly when its name says so."""
    for section, name in enumerate(section_names(5)):
        assert is_attention(section) == name.startswith("attn")
