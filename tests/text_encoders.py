"""Text encoders of the real classes, as small as they go, with random weights, in a folder: nothing is fetched."""

import json
from pathlib import Path

WORDS = ["red", "green", "blue", "disc", "zebra", "wall", "a", "the", "dog", "on"]


def small_bert(folder: Path, seed: int = 0) -> Path:
    """In all-MiniLM-L6-v2's place: D = 16, at most 12 tokens."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=12,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def small_clip(folder: Path, seed: int = 0) -> Path:
    """In CLIP ViT-L/14@336's place: D = 12, at most 16 tokens, crops of 28 pixels."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")).save_pretrained(folder)
    torch.manual_seed(seed)
    tower = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": len(tokens) - 2, "eos_token_id": len(tokens) - 1, "pad_token_id": len(tokens) - 1}
    config = CLIPConfig(
        text_config={**tower, **ends, "vocab_size": len(tokens), "max_position_embeddings": 16, "projection_dim": 12},
        vision_config={**tower, "image_size": 28, "patch_size": 14, "projection_dim": 12},
        projection_dim=12,
    )
    CLIPModel(config).save_pretrained(folder)
    return folder
