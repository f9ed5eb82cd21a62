import re
from collections.abc import Callable

import pytest
from transformers import GPT2Config, LlamaConfig, PreTrainedTokenizerFast

from bench.errors import UserError
from bench.models.inspection import Inspected
from bench.models.memory import count_parameters

Configure = Callable[..., GPT2Config]
Train = Callable[..., PreTrainedTokenizerFast]


def inspected(
    config: GPT2Config, tokenizer: PreTrainedTokenizerFast | None = None
) -> Inspected:
    """Put together what reading a model gives."""
    return Inspected("mine", config, tokenizer)


def test_texts_get_no_special_tokens(
    configure: Configure, train_tokenizer: Train
) -> None:
    """What the tokenizer would put before a text is left out."""
    tokenizer = train_tokenizer()
    found = inspected(configure(), tokenizer)

    assert tokenizer.encode("the")[0] == 0
    assert found.tokenize("the") == tokenizer.encode("the")[1:]


def test_no_texts_without_a_tokenizer(configure: Configure) -> None:
    """Without a tokenizer a text is refused with both ways out."""
    expected = (
        "'mine' has no tokenizer, so text prompts cannot be made for it. Put its "
        "tokenizer files beside config.json, or bring prompts of token ids (--prompts)."
    )
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        inspected(configure()).tokenize("the")


@pytest.mark.parametrize(
    ("named", "configured", "expected"),
    [
        ("<bos>", 7, 0),
        ("<unk>", 7, 1),
        (None, 7, 7),
        (None, None, None),
    ],
    ids=["tokenizer", "its own choice", "configuration", "nobody"],
)
def test_who_names_the_first_token(
    named: str | None,
    configured: int | None,
    expected: int | None,
    configure: Configure,
    train_tokenizer: Train,
) -> None:
    """The tokenizer's token counts, then the configuration's, then there is none."""
    tokenizer = train_tokenizer(bos_token=named)

    assert inspected(configure(bos_token_id=configured), tokenizer).bos == expected


def test_the_first_token_without_a_tokenizer(configure: Configure) -> None:
    """The configuration's token counts where there is no tokenizer."""
    assert inspected(configure(bos_token_id=7)).bos == 7
    assert inspected(configure()).bos is None


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({}, (0, 63)),
        ({"bos_token_id": 0}, (1, 63)),
        ({"bos_token_id": 63}, (0, 62)),
        ({"bos_token_id": 20, "eos_token_id": 40}, (41, 63)),
        ({"bos_token_id": 10, "eos_token_id": 40}, (11, 39)),
        ({"bos_token_id": 50, "eos_token_id": 60}, (0, 49)),
    ],
)
def test_ordinary_tokens_by_hand(
    named: dict[str, int], expected: tuple[int, int], configure: Configure
) -> None:
    """Ordinary tokens are the longest run of ids between special ones."""
    assert inspected(configure(**named)).ordinary == expected


def test_a_list_of_last_tokens_is_special(configure: Configure) -> None:
    """Every token that may end a text is special, where a model names several."""
    assert inspected(configure(eos_token_id=[40, 50])).ordinary == (0, 39)


def test_tokens_outside_of_the_vocabulary_do_not_count(configure: Configure) -> None:
    """Ids that the model has no embedding for are never ordinary."""
    config = configure(bos_token_id=50256, eos_token_id=50256)

    assert inspected(config).ordinary == (0, 63)


def test_padding_of_the_vocabulary_is_not_ordinary(
    configure: Configure, train_tokenizer: Train
) -> None:
    """Ids that the tokenizer does not have are left out."""
    assert len(train_tokenizer(30)) == 30
    assert inspected(configure(), train_tokenizer(30)).ordinary == (2, 29)


def test_a_tokenizer_larger_than_the_model(
    configure: Configure, train_tokenizer: Train
) -> None:
    """Ids that the model does not have are left out."""
    found = inspected(configure(vocab_size=20), train_tokenizer())

    assert found.ordinary == (2, 19)


def test_added_tokens_are_not_ordinary(
    configure: Configure, train_tokenizer: Train
) -> None:
    """Tokens that were added to a tokenizer are left out, special or not."""
    tokenizer = train_tokenizer(30)
    tokenizer.add_tokens(["<mine>", "quick"])

    assert len(tokenizer) == 32
    assert tokenizer.convert_tokens_to_ids("quick") == 31
    assert inspected(configure(), tokenizer).ordinary == (2, 29)


def test_an_architecture_is_described_by_its_own_names() -> None:
    """Names that architectures have for the same thing make no difference."""
    config = LlamaConfig(
        vocab_size=20,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=5,
        num_attention_heads=2,
    )
    found = Inspected("mine", config, None)

    assert (found.architecture, found.blocks) == ("llama", 5)
    # named by default: 1 begins, 2 ends
    assert (found.bos, found.ordinary) == (1, (3, 19))
    assert found.parameters == count_parameters(config)
