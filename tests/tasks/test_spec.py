import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import DigestError, FileFormatError
from bench.tasks.planted import PlantedRecipe
from bench.tasks.spec import as_prose, as_text, read_task

MakeTask = Callable[..., Path]

EMBEDDED = 'embedded = "toy"'
HUB = 'hub = "org/model"'
REVISION = 'revision = "' + 40 * "a" + '"'
HINT = "Restore them (git checkout), or, if the change is meant, give the task a new "


def refusal(path: Path) -> str:
    """Read a task file that must be refused and return the message."""
    with pytest.raises(FileFormatError) as error:
        read_task(path)
    return str(error.value)


def test_good_task_is_read(make_task: MakeTask) -> None:
    """Name, place and size of a task are read off its file."""
    path = make_task()
    task = read_task(path)

    assert task.id == task.spec.id == "induction/tiny"
    assert task.folder == path.parent
    assert task.n_sections == 4
    assert task.spec.prompts.recipe is None


def test_recipe_is_read(make_task: MakeTask) -> None:
    """A task may say how its prompts were drawn."""
    recipe = (
        '[prompts.recipe]\nkind = "repeated-random"\nseed = 3\nperiod = 8\nbos = 0\n'
        "first_token = 10\nlast_token = 49\ndiscovery = 2\nreference = 17\n\n[prompts]"
    )
    found = read_task(make_task(edits={"[prompts]": recipe})).spec.prompts.recipe

    assert found is not None
    assert (found.seed, found.period, found.reference) == (3, 8, 17)


def test_prompts_are_read_through_the_task(make_task: MakeTask) -> None:
    """Untouched prompts and model files pass, and prompts come split by split."""
    pytest.importorskip("datasets")
    task = read_task(make_task())
    task.verify_model()

    assert len(task.read_prompts("discovery")) == 2
    assert len(task.read_prompts("reference")) == 17


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version = 1\nsum", "version = 0\nsum", "version: Input should be greater"),
        ('"CC0-1.0"', "1.0", "licence: Input should be a valid string (found 1.0)"),
        ("relative-response-2", "other", "protocol: Input should be 'relative-"),
        ("schema_version = 1", "schema_version = 2", "schema_version: Input should"),
        ('"tiny"', '"Tiny Task"', "name: String should match pattern"),
        ("blocks = 2", "blocks = nan", "model/blocks: Input should be"),
        ("blocks = 2", "blocks = 2024-01-01", "model/blocks: Input should be"),
        ("blocks = 2", 'blocks = 2\nflavour = "x"', "model/flavour: Extra inputs are"),
        ('licence = "CC0-1.0"\n', "", "licence: Field required"),
    ],
)
def test_bad_fields_are_refused(
    make_task: MakeTask, old: str, new: str, problem: str
) -> None:
    """Each field that does not fit is named with the file."""
    path = make_task(edits={old: new})
    message = refusal(path)

    assert message.startswith(f"'{path}' is not a valid TaskSpec:\n")
    assert f"\n  {problem}" in message


def test_unknown_key_is_refused(make_task: MakeTask) -> None:
    """A key that tasks do not have is named, with all other problems."""
    message = refusal(make_task(edits={"summary": "sumary"}))

    assert "\n  summary: Field required" in message
    assert "\n  sumary: Extra inputs are not permitted" in message


@pytest.mark.parametrize("digest", ["A" * 64, "a" * 63, "a" * 64 + "\\n", ""])
def test_malformed_digest_is_refused(make_task: MakeTask, digest: str) -> None:
    """Digests are 64 lower-case hexadecimal digits."""
    path = make_task()
    found = re.findall(r'sha256 = "(\w+)"', path.read_text())
    path.write_text(path.read_text().replace(found[-1], digest))

    assert "\n  prompts/sha256: String should match pattern" in refusal(path)


def test_missing_task_file(tmp_path: Path) -> None:
    """A task file that is not there is named."""
    path = tmp_path / "task.toml"

    assert refusal(path) == (
        f"The task file '{path}' cannot be read: No such file or directory."
    )


@pytest.mark.parametrize(
    "content", [b"a = ", b"a = 1\na = 2", b'a = "\xff"'], ids=["cut", "twice", "bytes"]
)
def test_what_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    """Cut files, keys that occur twice and other encodings are no TOML."""
    path = tmp_path / "task.toml"
    path.write_bytes(content)

    assert refusal(path).startswith(f"The task file '{path}' is not valid TOML: ")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("", "none"),
        (f'{EMBEDDED}\npath = "x"', "embedded, path"),
        (f"{EMBEDDED}\n{HUB}\n{REVISION}", "embedded, hub"),
        (f'{EMBEDDED}\npath = "x"\n{HUB}', "embedded, path, hub"),
    ],
)
def test_model_has_exactly_one_source(
    make_task: MakeTask, source: str, found: str
) -> None:
    """No source or several are refused with what was found."""
    path = make_task(edits={EMBEDDED: source})

    assert refusal(path) == (
        f"'{path}': [model] needs exactly one of embedded, path, hub, planted; "
        f"found {found}."
    )


def test_hub_model_needs_a_revision(make_task: MakeTask) -> None:
    """A hub id without its commit is refused; with it, no digest is needed."""
    path = make_task(edits={EMBEDDED: HUB})
    assert refusal(path) == (
        f"'{path}': [model] hub = 'org/model' needs 'revision', the commit's 40 "
        "hexadecimal digits."
    )

    text = path.read_text().replace(HUB, f"{HUB}\n{REVISION}")
    path.write_text(re.sub(r"sha256 = \{.*\}", "sha256 = {}", text))
    task = read_task(path)
    assert task.local_model_folder is None
    task.verify_model()  # nothing local to compare


def test_planted_model(make_task: MakeTask) -> None:
    """A planted model needs no digests, and its seed is part of the task's."""
    source = "planted = { generator = 1, seed = 7 }"
    path = make_task(edits={EMBEDDED: source})
    path.write_text(re.sub(r"sha256 = \{.*\}", "", path.read_text()))

    task = read_task(path)

    assert task.spec.model.planted == PlantedRecipe(generator=1, seed=7)
    assert task.local_model_folder is None
    path.write_text(path.read_text().replace("seed = 7", "seed = 8"))
    assert read_task(path).digest != task.digest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {'architecture = "llama"': 'architecture = "qwen3"'},
            "circuits are planted in gpt2, llama, gemma2; [model] architecture is "
            "'qwen3'.",
        ),
        (
            {"blocks = 2": "blocks = 1"},
            "the planted circuit needs 2 blocks; [model] blocks is 1.",
        ),
    ],
    ids=["architecture", "blocks"],
)
def test_impossible_planted_models_are_refused(
    make_task: MakeTask, words: dict[str, str], message: str
) -> None:
    """A circuit needs a known architecture and a block for each of its sections."""
    source = "planted = { generator = 1, seed = 7 }"
    path = make_task(edits={EMBEDDED: source, **words})

    assert refusal(path) == f"'{path}': {message}"


def test_facts_that_move_no_score_are_not_in_the_digest(make_task: MakeTask) -> None:
    """The number of weights of a hub model may be corrected without a new version."""
    path = make_task(edits={EMBEDDED: f"{HUB}\n{REVISION}"})
    path.write_text(re.sub(r"sha256 = \{.*\}", "", path.read_text()))
    before = read_task(path).digest

    path.write_text(path.read_text().replace(HUB, f"{HUB}\nparameters = 5"))

    assert read_task(path).spec.model.parameters == 5
    assert read_task(path).digest == before


def test_a_folder_may_move(make_task: MakeTask) -> None:
    """What a folder holds is in the digest, and where it lies is not."""
    path = make_task(edits={EMBEDDED: 'path = "x"'})
    before = read_task(path).digest
    path.write_text(path.read_text().replace('path = "x"', 'path = "../y"'))

    assert read_task(path).digest == before
    path.write_text(path.read_text().replace('path = "../y"', EMBEDDED))
    assert read_task(path).digest != before


def test_a_hub_model_has_no_digests(make_task: MakeTask) -> None:
    """Digests that nothing checks are refused."""
    path = make_task(edits={EMBEDDED: f"{HUB}\n{REVISION}"})

    assert refusal(path) == (
        f"'{path}': [model.sha256] is for files in a folder; a hub model is pinned by "
        "its revision. Leave it out."
    )


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 5000, "x = " + "9" * 5000, "x = '\xff'"],
    ids=["nested", "digits", "bytes"],
)
def test_toml_that_readers_stumble_over(make_task: MakeTask, text: str) -> None:
    """Nesting, numbers and bytes beyond what can be read are one message."""
    path = make_task()
    path.write_bytes(text.encode("latin-1"))

    assert refusal(path).startswith(f"The task file '{path}' is not valid TOML: ")


@pytest.mark.parametrize("character", ["\\u0000", "\\u001b", "\\u202e"])
def test_texts_have_no_control_characters(make_task: MakeTask, character: str) -> None:
    """What reaches a terminal or a path holds nothing that either would act on."""
    path = make_task(edits={'licence = "CC0-1.0"': f'licence = "a{character}b"'})

    assert "\n  licence: String should match pattern" in refusal(path)


def test_a_date_is_no_text(make_task: MakeTask) -> None:
    """TOML knows dates; a licence is none."""
    path = make_task(edits={'licence = "CC0-1.0"': "licence = 2020-01-01"})

    assert "\n  licence: Input should be a valid string" in refusal(path)


@pytest.mark.parametrize("revision", ["main", "a" * 39, "A" * 40])
def test_revision_is_a_commit(make_task: MakeTask, revision: str) -> None:
    """A branch or part of a commit does not pin a model."""
    path = make_task(edits={EMBEDDED: f'{HUB}\nrevision = "{revision}"'})

    assert "\n  model/revision: String should match pattern" in refusal(path)


@pytest.mark.parametrize("source", [EMBEDDED, 'path = "x"'])
def test_local_model_needs_digests(make_task: MakeTask, source: str) -> None:
    """A local model without recorded digests is refused."""
    path = make_task(edits={EMBEDDED: source})
    path.write_text(re.sub(r"sha256 = \{.*\}", "sha256 = {}", path.read_text()))

    assert refusal(path) == (
        f"'{path}': [model.sha256] is empty; record the SHA-256 of config.json and of "
        "every safetensors file."
    )


def test_where_local_models_are(make_task: MakeTask) -> None:
    """Embedded models are beside the families, paths are relative to the task file."""
    path = make_task()
    tasks = path.parent.parent.parent
    assert read_task(path).local_model_folder == tasks / "models" / "toy"

    path = make_task(edits={EMBEDDED: 'path = "../here"'})
    assert read_task(path).local_model_folder == path.parent.parent / "here"


@pytest.mark.parametrize("change", ["altered", "missing"])
def test_prompt_file_is_checked(make_task: MakeTask, change: str) -> None:
    """Altered or missing prompts are refused before they are read."""
    path = make_task()
    prompts = path.parent / "prompts.jsonl"
    if change == "altered":
        prompts.write_text(prompts.read_text() + "\n")
    else:
        prompts.unlink()
    task = read_task(path)

    found = "was altered: its SHA-256" if change == "altered" else r"is missing\."
    expected = f"'{re.escape(str(prompts))}' {found}(.|\n)*{re.escape(HINT)}"
    with pytest.raises(DigestError, match=expected):
        task.read_prompts("discovery")
    with pytest.raises(DigestError, match=expected):
        task.verify_prompts()


def test_model_files_are_checked(make_task: MakeTask) -> None:
    """An altered file of a local model is refused."""
    task = read_task(make_task())
    folder = task.local_model_folder
    assert folder is not None
    (folder / "config.json").write_text('{"a": 1}')

    with pytest.raises(DigestError, match=r"config\.json' was altered"):
        task.verify_model()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('family = "induction"', 'family = "other"'),
        ("version = 1\nsum", "version = 2\nsum"),
        ("blocks = 2", "blocks = 3"),
        ('architecture = "llama"', 'architecture = "gpt2"'),
        (EMBEDDED, 'embedded = "toy-2"'),
        (EMBEDDED, 'path = "toy"'),
        ('"config.json"', '"model.safetensors"'),
        ('.jsonl"\nsha256 = "', '.jsonl"\nsha256 = "' + 64 * "0" + '" #'),
    ],
)
def test_digest_follows_what_moves_a_score(
    make_task: MakeTask, old: str, new: str
) -> None:
    """Identity, version, model and prompts are part of the digest."""
    plain = read_task(make_task()).digest

    assert read_task(make_task(edits={old: new})).digest != plain


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A task for tests.", "Other words."),
        ("CC0-1.0", "MIT"),
        ("schema_version = 1\n", "# a remark\nschema_version = 1\n"),
    ],
)
def test_digest_ignores_words(make_task: MakeTask, old: str, new: str) -> None:
    """Summary, licence and remarks are not part of the digest."""
    plain = read_task(make_task()).digest

    assert read_task(make_task(edits={old: new})).digest == plain


def with_earlier(path: Path, *versions: int, own: int, digest: str = "") -> Path:
    """Make a task's version a later one that lists earlier ones, by true digests."""
    found = {version: read_task(path).digest_of(version) for version in versions}
    text = path.read_text().replace("version = 1\nsum", f"version = {own}\nsum")
    for version in versions:
        entry = f'version = {version}\ndigest = "{digest or found[version]}"\n'
        text += f"\n[[earlier]]\n{entry}"
    path.write_text(text)
    return path


def test_earlier_versions(make_task: MakeTask) -> None:
    """They are read, keep the digest that they had, and do not move the present one."""
    path = make_task()
    first = read_task(path).digest
    later = read_task(with_earlier(path, 1, 2, own=3))

    assert [entry.version for entry in later.spec.earlier] == [1, 2]
    assert later.spec.earlier[0].digest == first == later.digest_of(1)
    path.write_text(path.read_text().partition("\n[[earlier]]")[0])
    assert read_task(path).digest == later.digest == later.digest_of(3)
    assert len({later.digest_of(version) for version in (1, 2, 3)}) == 3


@pytest.mark.parametrize(("versions", "own"), [((1, 1), 3), ((3,), 3), ((1, 4), 3)])
def test_earlier_versions_came_before(
    versions: tuple[int, ...], own: int, make_task: MakeTask
) -> None:
    """Neither the present version nor a later one is earlier, and none is so twice."""
    path = with_earlier(make_task(), *versions, own=own)

    assert refusal(path) == (
        f"'{path}': [[earlier]] lists the versions {list(versions)}; expected each "
        "once, and all below the present one, 3."
    )


def test_earlier_versions_had_this_model_and_these_prompts(
    make_task: MakeTask,
) -> None:
    """A digest that follows from nothing here is that of something else."""
    path = with_earlier(make_task(), 1, own=2, digest="0" * 64)

    assert refusal(path).startswith(
        f"'{path}': [[earlier]] says that version 1 had the digest 000000000000...; "
        "with the present model, prompts and protocol it is "
    )


@pytest.mark.parametrize(
    ("text", "line", "prose"),
    [
        ("plain", "plain", "plain"),
        ("a\nb\tc", "a b c", "a\nb\tc"),
        ("a\x1b[0m\u202eb", "a [0m b", "a [0m b"),
        ("\udcff", "?", "?"),
        ("x" * 5000, "x" * 1000, "x" * 4000),
    ],
)
def test_any_text_can_be_stored(text: str, line: str, prose: str) -> None:
    """What a record may not hold becomes a space, and what is too long is cut."""
    assert as_text(text) == line
    assert as_prose(text) == prose
