"""Sections: the writes into the residual stream, in the order of depth.

A model of L blocks has S = 2L sections, ``attn 0, mlp 0, attn 1, ...``, and S + 1
residual points; point p is the residual before section p, the last one after all.
"""

SECTIONS_PER_BLOCK = 2


def section_names(n_blocks: int) -> tuple[str, ...]:
    """Name the sections of a model of ``n_blocks`` blocks, in order of depth."""
    return tuple(
        f"{sublayer} {block}"
        for block in range(n_blocks)
        for sublayer in ("attn", "mlp")
    )


def is_attention(section: int) -> bool:
    """Whether the section is an attention sublayer."""
    return section % SECTIONS_PER_BLOCK == 0
