"""Which weights learn how fast, which shrink, and by which optimiser."""

from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import torch
from torch import nn

from engine.model.build import Sam
from engine.training.muon import Muon
from engine.training.run import Run

#: An encoder's parts, by their names: these come first, then the members of these lists one after the other. What is named
#: otherwise (neck, lateral convolutions) comes last. Holds for the ViTs, TinyViT and `TinyEncoder`.
_FIRST = ("pos_embed", "patch_embed", "stem")
_LISTS = ("blocks", "layers", "stages", "globals")
#: By these names weights are tables, whose rows are looked up: they are no matrices to Muon.
_TABLES = ("pos_embed", "rel_pos", "embeddings", "tokens", "attention_biases")
#: Rows and columns of the smallest matrix that Muon takes.
_SMALLEST_MATRIX = 16
ADAM_BETAS = (0.9, 0.999)


def depths(encoder: nn.Module) -> tuple[dict[str, int], int]:
    """The level of each of an encoder's parameters, counted from the pixels, and the number of the last level."""
    begins, level = {}, 1
    for name in _LISTS:
        part = getattr(encoder, name, None)
        if isinstance(part, nn.ModuleList | nn.Sequential):
            begins[name] = level
            level += len(part)
    found = {}
    for name, _ in encoder.named_parameters():
        part, _, rest = name.partition(".")
        if part in _FIRST:
            found[name] = 0
        elif part in begins:
            found[name] = begins[part] + int(rest.partition(".")[0])
        else:
            found[name] = level
    return found, level


def parameter_groups(
    model: Sam, others: nn.Module, *, weight_decay: float, layer_decay: float, hidden: bool | None = None
) -> list[dict[str, Any]]:
    """Groups for the optimiser, of what requires a gradient; `scale` is the share of the run's rate.

    A parameter of the encoder at level d of L learns at layer_decay^(L - d) of the rate; everything behind the encoder at
    the full rate (SAM-p, appendix A; the levels are those of ViTDet). Vectors (biases, norms) and position tables do
    not decay.

    Args:
        others: what learns with the model and is thrown away.
        hidden: only hidden layers' matrices, or all but these; None: everything.
    """
    level_of, last = depths(model.image_encoder)
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in (*model.named_parameters(), *others.named_parameters()):
        if not parameter.requires_grad:
            continue
        level = level_of.get(name.removeprefix("image_encoder."), last) if name.startswith("image_encoder.") else last
        if hidden is not None and hidden != (level > 0 and _is_matrix(name, parameter)):
            continue
        decays = parameter.ndim > 1 and not name.endswith("pos_embed")
        groups[layer_decay ** (last - level), weight_decay if decays else 0.0].append(parameter)
    return [
        {"params": parameters, "scale": scale, "weight_decay": decay}
        for (scale, decay), parameters in sorted(groups.items(), key=lambda group: (-group[0][0], -group[0][1]))
    ]


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Neither a vector, nor a table, nor a filter for each channel alone, nor a head of a few rows."""
    is_table = any(word in name for word in _TABLES)
    return parameter.ndim > 1 and not is_table and min(len(parameter), parameter[0].numel()) >= _SMALLEST_MATRIX


def optimizers(run: Run, model: Sam, others: nn.Module) -> list[torch.optim.Optimizer]:
    """What takes a run's steps; each group's `scale` is its share of the rate. See `parameter_groups`."""
    decays = {"weight_decay": run.weight_decay, "layer_decay": run.layer_decay}
    is_muon = run.optimizer == "muon"
    rest = parameter_groups(model, others, **decays, hidden=False if is_muon else None)
    adamw = torch.optim.AdamW(rest, lr=run.learning_rate, betas=ADAM_BETAS)
    if not is_muon:
        return [adamw]
    return [Muon(parameter_groups(model, others, **decays, hidden=True), run.learning_rate), adamw]


def with_dropping(model: Sam, *, drop_path: float, dropout: float) -> Sam:
    """The same weights in a model that leaves something out in training, or the model, if there is nothing to leave out.

    What the model is called and hashed by stays: dropping is no part of how it answers.

    Args:
        drop_path: of the encoder's residual branches, where it knows the word.
        dropout: of what the mask decoder's attention and MLPs add.
    """
    encoder: Any = model.architecture.encoder
    if "drop_path" not in {field.name for field in fields(encoder)}:
        drop_path = 0.0
    if not drop_path and not dropout:
        return model
    if drop_path:
        encoder = replace(encoder, drop_path=drop_path)
    decoder = replace(model.architecture.decoder, dropout=dropout)
    dropping = Sam(replace(model.architecture, encoder=encoder, decoder=decoder))
    dropping.load_state_dict(model.state_dict())
    dropping.architecture = model.architecture
    return dropping
